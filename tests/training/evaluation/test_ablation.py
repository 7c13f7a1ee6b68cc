"""The table of what each part of a training recipe is worth."""

import dataclasses
import json
from pathlib import Path

import pytest

from cocola_metric.training.encoder.config import TrainingConfig, load_config
from cocola_metric.training.evaluation import commands

CHANGES = Path(__file__).parents[3] / "training" / "offline" / "changes"
CONFIG = Path(__file__).parents[3] / "training" / "configs" / "embedded.toml"


def write_run(folder: Path, config: TrainingConfig, same_track: str) -> str:
    folder.mkdir()
    (folder / "training.json").write_text(json.dumps(dataclasses.asdict(config)))
    (folder / "log.csv").write_text(
        "step,loss,other_track,same_track,shift,transpose,stretch\n"
        f"500,2.0,0.5,0.5,0.5,0.5,\n1000,1.5,0.9,{same_track},0.71,0.625,\n1050,1.4,,,,,\n"
    )
    return str(folder)


def test_rows_say_what_changed_and_what_it_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full = load_config(CONFIG)
    less = load_config(CONFIG, ["sampling.alterations={}", "sampling.low_pass=0.0"])
    commands.ablation([write_run(tmp_path / "full", full, "0.75"), write_run(tmp_path / "less", less, "0.6")])
    rows = capsys.readouterr().out.splitlines()
    assert rows[2] == "| all parts | 1000 | 90.0 | 75.0 | 71.0 | 62.5 | - | - |"
    assert "| `sampling.alterations = {}`, `sampling.low_pass = 0.0` | 1000 | 90.0 | 60.0 |" in rows[3]


def test_a_run_without_results_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commands.ablation([str(tmp_path / "absent")])
    assert "no settings of a training run" in capsys.readouterr().err
    begun = write_run(tmp_path / "begun", TrainingConfig(), "0.5")
    (tmp_path / "begun" / "log.csv").write_text("step,loss,other_track\n50,2.0,\n")
    with pytest.raises(SystemExit):
        commands.ablation([begun])
    assert "never validated" in capsys.readouterr().err


@pytest.mark.parametrize("file", sorted(CHANGES.iterdir()), ids=lambda file: file.name)
def test_the_changes_of_the_offline_runs_are_settings(file: Path) -> None:
    config = CONFIG if file.name.startswith("ablation_") else CONFIG.with_name(f"{file.name.partition('_')[0]}.toml")
    assert load_config(config, file.read_text().split()) != load_config(config)
