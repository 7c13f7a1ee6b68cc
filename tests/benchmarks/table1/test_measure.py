"""Table 1 as measured: every task, every kind of cell, and runs that go on."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_audioldm2 import stir
from tiny_msdm import STEMS, TINY

from cocola_metric.benchmarks.queries import SIDES, read_queries
from cocola_metric.benchmarks.queries import commands as draw
from cocola_metric.benchmarks.table1 import commands
from cocola_metric.benchmarks.table1.tasks import NO_STEMS
from cocola_metric.training.msdm.checkpoint import save_msdm
from cocola_metric.training.msdm.network import MSDM

pytestmark = pytest.mark.filterwarnings("ignore:.*shorter than the window")
CONTROLS = ["Ground Truth", "Random", "Noise", "Echo"]
RATE, SECONDS, COUNT = 16_000, 0.5, 4
TASKS = [task.name for task in SIDES]


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Songs of MSDM's four stems, and a manifest for each task."""
    root = tmp_path_factory.mktemp("bands")
    rng, time = np.random.default_rng(0), np.arange(round(1.5 * RATE)) / RATE
    for song in range(3):
        (root / "songs" / f"song{song}").mkdir(parents=True)
        for place, stem in enumerate(STEMS):
            tone = 0.2 * np.sin(2 * np.pi * 220 * (song + 1.5 * place + 1) * time)
            noise = rng.normal(0, 0.002, len(time))
            soundfile.write(root / "songs" / f"song{song}" / f"{stem}.wav", tone + noise, RATE, subtype="FLOAT")
    files = {task: root / f"{task}.jsonl" for task in TASKS}
    for task, file in files.items():
        drawn = ["--count", str(COUNT), "--seconds", str(SECONDS), "--task", task, "--out", str(file)]
        draw.queries([str(root / "songs"), *drawn])
    return files


def measured(manifests: dict[str, Path], out: Path, *systems: str, tasks: list[str] = TASKS) -> dict:
    files = [str(manifests[task]) for task in tasks]
    commands.table1(["--queries", *files, "--systems", *systems, "--embedder", "timbre", "--out", str(out)])
    tables = json.loads((out / "table1.json").read_text())["tables"]
    assert [table["task"] for table in tables] == [task for task in TASKS if task in tasks]
    return {table["task"]: table["rows"] for table in tables}


def test_controls_answer_every_task(manifests: dict[str, Path], tmp_path: Path) -> None:
    rows = measured(manifests, tmp_path)
    for task, table in rows.items():
        assert [name for name, cells in table.items() if isinstance(cells, dict)] == CONTROLS, task
    assert rows["SS"]["Echo"]["SI-SDRi (dB)"]["value"] == pytest.approx(0, abs=1e-6)
    assert rows["SS"]["Ground Truth"]["SI-SDRi (dB)"]["value"] > 40
    assert rows["SS"]["Random"]["SI-SDRi (dB)"]["value"] < 0 > rows["SS"]["Noise"]["SI-SDRi (dB)"]["value"]
    for task in ("EA", "ER"):
        table = rows[task]
        assert all(table[name]["kept error (dB)"]["value"] < 1 for name in CONTROLS), task
        assert all(table[name]["kept share"]["value"] == pytest.approx(1, abs=0.1) for name in CONTROLS), task
        assert table["Ground Truth"]["sub-FAD"]["missing"] == "is the reference"
    assert rows["EA"]["Echo"]["COCOLA"]["missing"] == "silent throughout"  # nothing was added
    assert rows["ER"]["Echo"]["COCOLA"]["value"] is not None  # what had to go is still there
    for cells in (rows["UG"]["Noise"], rows["UG"]["Random"], rows["AG"]["Random"]):
        assert all(cell["value"] is not None for cell in cells.values())


def test_cells_without_numbers_say_why(manifests: dict[str, Path], tmp_path: Path) -> None:
    rows = measured(manifests, tmp_path, tasks=["AG", "EA"])
    assert rows["AG"]["StemGen"] == "from a folder" and rows["EA"]["StemGen"] == "not claimed"
    assert rows["AG"]["AUDIT"] == "not claimed" and rows["EA"]["InstructME"] == "from a folder"
    assert rows["AG"]["CompoNet"] == rows["AG"]["GMSDI"] == "weights not on this machine"


def test_msdm_answers_the_tasks_that_it_claims(manifests: dict[str, Path], tmp_path: Path) -> None:
    model = MSDM(replace(TINY, sample_rate=8_000, length=2 * TINY.length)).eval()
    save_msdm(model, tmp_path / "model")
    system = f"MSDM=msdm:{tmp_path / 'model'},steps=2,churn=0"
    rows = measured(manifests, tmp_path / "out", system)
    assert rows["EA"]["MSDM"] == rows["ER"]["MSDM"] == "not claimed"
    lines = (tmp_path / "out" / "table1.md").read_text().splitlines()
    assert sum(line.startswith("| MSDM, small, ours | ") for line in lines) == 1 + 3  # no published value is beside it
    for task in ("UG", "AG", "SS"):
        for name in ("MSDM", "MSDM, swapped"):
            assert all(not cell["missing"] for cell in rows[task][name].values()), (task, name)
    answer = next((tmp_path / "out" / "SS" / "answers").glob("msdm-*/*.wav"))
    assert soundfile.info(answer).samplerate == 8_000
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("*.wav")}
    assert measured(manifests, tmp_path / "out", system) == rows
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("*.wav")} == before


def test_componet_answers_every_task(manifests: dict[str, Path], tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("diffusers")
    from cocola_metric.training.componet.checkpoint import save_weights
    from cocola_metric.training.componet.network import CompoNet
    from cocola_metric.training.componet.small_files import SmallShape, build_small_pipeline, save_small_pipeline

    shape = SmallShape(vae_channels=(8, 8, 8), unet_channels=(8, 8, 16), heads=2, text_width=8, norm_groups=4)
    torch.manual_seed(0)
    pipeline = build_small_pipeline(shape, tuple(f"{stem}_1" for stem in STEMS))
    save_small_pipeline(tmp_path / "model", shape, pipeline)
    componet = CompoNet(pipeline.unet)
    stir(componet.controlnet)
    save_weights(componet, tmp_path / "model" / "componet.safetensors")
    rows = measured(manifests, tmp_path / "out", f"CompoNet=componet:{tmp_path / 'model'},steps=1")
    for task, table in rows.items():
        for name in ("CompoNet", "CompoNet, swapped"):
            assert all(not cell["missing"] for cell in table[name].values()), (task, name)


def test_a_system_from_a_folder_has_a_folder_for_each_task(manifests: dict[str, Path], tmp_path: Path) -> None:
    from cocola_metric.benchmarks.generators import commands as generators

    for task in ("UG", "SS", "ER"):
        content = "accompaniment" if task == "UG" else "stems" if task == "SS" else "accompaniment"
        out = tmp_path / "mine" / task
        common = ["--queries", str(manifests[task]), "--out", str(out)]
        generators.export([*common, "--content", content, "--generator", "Mine"])
        for query in read_queries(manifests[task]):
            parts = len(query.accompaniment.parts) if content == "stems" else 1
            noise = np.random.default_rng(0).normal(0, 0.1, (round(SECONDS * RATE), parts))
            soundfile.write(out / f"{query.id}.wav", noise, RATE, subtype="FLOAT")
    rows = measured(manifests, tmp_path / "out", f"Mine=folder:{tmp_path / 'mine'}/{{task}}", tasks=["UG", "SS", "ER"])
    assert rows["UG"]["Mine"]["COCOLA"]["missing"] == NO_STEMS and rows["UG"]["Mine"]["FAD"]["value"] > 0
    assert rows["SS"]["Mine"]["SI-SDRi (dB)"]["value"] < 0
    assert rows["ER"]["Mine"]["kept share"]["value"] == pytest.approx(0, abs=0.1)


def test_the_table_is_printed_and_written(
    manifests: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured(manifests, tmp_path, tasks=["SS"])
    printed = capsys.readouterr().out
    assert printed == (tmp_path / "table1.md").read_text()
    lines = printed.splitlines()
    assert "| system | SS |" in lines
    assert any(line.startswith("| Echo | 0.00 |") for line in lines)
    assert any(line.startswith("| StemGen | not claimed |") for line in lines)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--systems", "MSDM"], "--systems must be NAME=GENERATOR"),
        (["--systems", "MSDM=tuba:x"], "got 'MSDM=tuba:x'"),
        (["--systems", "A=echo", "A=noise"], "each name once"),
    ],
)
def test_systems_that_cannot_be_are_refused(
    manifests: dict[str, Path], tmp_path: Path, change: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        commands.table1(["--queries", str(manifests["AG"]), "--out", str(tmp_path), *change])
    assert message in capsys.readouterr().err


def test_a_task_is_asked_for_once(
    manifests: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        commands.table1(["--queries", *[str(manifests["AG"])] * 2, "--out", str(tmp_path)])
    assert "AG is asked for twice" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        commands.table1(["--queries", str(manifests["AG"])])
    assert "--queries needs --out" in capsys.readouterr().err


def test_table_3_leaves_separation_to_table_1(
    manifests: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from cocola_metric.benchmarks.table3 import commands as table3

    with pytest.raises(SystemExit):
        table3.table3(["--queries", str(manifests["SS"]), "--out", str(tmp_path), "--until", "generate"])
    assert "measure them with the command table1" in capsys.readouterr().err
