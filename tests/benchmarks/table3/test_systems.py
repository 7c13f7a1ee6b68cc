"""Table 1 says which systems can do which tasks, and each has a way to be evaluated here."""

import subprocess
import sys

from cocola_metric.benchmarks.table3.systems import SYSTEMS, table_1_markdown
from cocola_metric.training.paper import PUBLISHED_TABLE_1, Task


def test_every_system_of_table_1_has_a_route() -> None:
    assert SYSTEMS.keys() == PUBLISHED_TABLE_1.keys()
    ours = {name for name, system in SYSTEMS.items() if system.route == "in process"}
    assert ours == {"MSDM", "GMSDI", "CompoNet"}
    for system in SYSTEMS.values():
        assert system.route in ("in process", "folder")
        assert system.route == "in process" or not system.weights
    assert not SYSTEMS["GMSDI"].weights
    assert set(SYSTEMS["CompoNet"].tasks) == set(Task) - {Task.ID}
    assert "MUSDB18-HQ" not in SYSTEMS["MSDM"].weights


def test_the_command_prints_table_1() -> None:
    command = [sys.executable, "-m", "cocola_metric.benchmarks", "table1"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.strip() == table_1_markdown()
    assert "| CompoNet | yes | MS | MS | MS | MS |" in printed
    assert "| StemGen | folder | none |" in printed and "| GMSDI | in process | none |" in printed
