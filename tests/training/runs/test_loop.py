"""The loop that all trainings share: going on to the byte, the clock, what a checkpoint holds."""

import csv
import itertools
import logging
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import Dataset

from cocola_metric.errors import CheckpointError, UsageError
from cocola_metric.training.runs import files, loop
from cocola_metric.training.runs.log import Log, LogFormat
from cocola_metric.training.runs.loop import Pace, Training, run_loop

PACE = Pace(steps=7, warmup_steps=2, largest_gradient=1.0, steps_between_lines=1, steps_between_checkpoints=3)
LOG = LogFormat(("step", "loss", "error", "learning_rate", "pairs_per_second", "validation_loss"), ("loss", "error"))


class Numbers(Dataset[Tensor]):
    """Batches that follow from their number."""

    def __len__(self) -> int:
        return PACE.steps

    def __getitem__(self, number: int) -> Tensor:
        return torch.randn(4, 3, generator=torch.Generator().manual_seed(number))


def training_of(interrupt: Callable[[int], None] = lambda step: None, **changes: object) -> Training[Tensor]:
    """A network with BatchNorm and dropout; every generator that nobody passes on has its word in the loss."""
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))

    def loss(step: int, batch: Tensor) -> tuple[Tensor, Tensor]:
        interrupt(step)
        drawn = random.random() + np.random.random()  # noqa: NPY002
        error = (model(batch) - drawn).abs().mean()
        return error.square(), error

    groups = [{"params": model[0].parameters(), "lr": 1e-2}, {"params": model[1:].parameters(), "lr": 1e-3}]
    settings = {"corpora": ("here",), "sampling": {"noise": 1e-3}} | changes
    optimizer = torch.optim.Adam(groups)
    measure = lambda: {"validation_loss": 1.0}  # noqa: E731
    return Training("toy", model.state_dict(), optimizer, Numbers(), 4, loss, measure, LOG, settings)


def run(out: Path, training: Training[Tensor], **options: object) -> float:
    return run_loop(Accelerator(cpu=True), training, PACE, out, workers=0, **options)  # type: ignore[arg-type]


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open(newline="") as file:
        return [{name: value for name, value in row.items() if name != LOG.rate} for row in csv.DictReader(file)]


def equal(one: object, other: object) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


@pytest.mark.parametrize("last", [1, 3, 4, 6])
def test_a_run_that_was_interrupted_ends_byte_for_byte_where_it_would_have(tmp_path: Path, last: int) -> None:
    whole = training_of()
    run(tmp_path / "whole", whole)

    def interrupt(step: int) -> None:
        if step > last:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", training_of(interrupt))
    resumed = training_of()
    run(tmp_path / "broken", resumed)
    assert equal(dict(whole.weights), dict(resumed.weights))
    assert equal(whole.optimizer.state_dict(), resumed.optimizer.state_dict())
    assert rows(tmp_path / "whole") == rows(tmp_path / "broken") and len(rows(tmp_path / "whole")) == 7
    states = [torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("whole", "broken")]
    assert equal(*states)


def test_a_checkpoint_keeps_the_whole_state(tmp_path: Path) -> None:
    run(tmp_path, training_of())
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state.keys() == {"format", "step", "weights", "optimizer", "random", "settings"} and state["step"] == 7
    assert state["random"].keys() == {"python", "numpy", "torch"} and "1.running_mean" in state["weights"]
    assert state["settings"] == {"corpora": ["here"], "sampling": {"noise": 1e-3}}


def test_an_interrupted_checkpoint_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved, save = [], torch.save

    def cut(state: object, path: Path) -> None:
        if saved:
            path.write_bytes(b"half")
            raise KeyboardInterrupt
        saved.append(save(state, path))

    monkeypatch.setattr(files.torch, "save", cut)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, training_of())
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 3
    assert {file.name for file in tmp_path.iterdir()} == {"checkpoint.pt", "log.csv"}


def test_every_step_has_its_rate_and_its_line(tmp_path: Path) -> None:
    run(tmp_path, training_of())
    lines = rows(tmp_path)
    assert [line["step"] for line in lines] == list("1234567")
    assert [bool(line["validation_loss"]) for line in lines] == [False, False, True, False, False, True, True]
    assert [float(line["learning_rate"]) for line in lines[:3]] == pytest.approx([5e-3, 9.5e-3, 8.1e-3], rel=1e-2)
    assert all(float(line["loss"]) > 0 for line in lines)


def test_other_settings_are_named_and_other_weights_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(tmp_path, training_of())
    with caplog.at_level(logging.WARNING):
        run(tmp_path, training_of(sampling={"noise": 0.1}, seed=3))
    assert "other settings: sampling.noise 0.1 instead of 0.001, seed 3 instead of null" in caplog.text
    wider = training_of()
    wider.weights["0.weight"] = torch.zeros(9, 3)  # type: ignore[index]
    with pytest.raises(UsageError, match=r"other parameters were trained here \(0\.weight is \(8, 3\), not \(9, 3\)\)"):
        run(tmp_path, wider)


@pytest.mark.parametrize("content", [b"half", None], ids=["damaged", "old"])
def test_a_checkpoint_that_cannot_be_gone_on_from_says_what_to_do(tmp_path: Path, content: bytes | None) -> None:
    if content is None:
        torch.save(
            {"step": 3, "model": {}, "optimizer": {}, "random": torch.get_rng_state()}, tmp_path / "checkpoint.pt"
        )
    else:
        (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"(damaged|another version).*give an empty folder"):
        run(tmp_path, training_of())


def test_a_flipped_bit_in_a_checkpoint_is_seen(tmp_path: Path) -> None:
    run(tmp_path, training_of())
    file = tmp_path / "checkpoint.pt"
    content = file.read_bytes()
    tensor = next(iter(torch.load(file, weights_only=True)["weights"].values()))
    at = content.index(tensor.numpy().tobytes())
    file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    torch.load(file, weights_only=True)  # which does not see it
    with pytest.raises(CheckpointError, match=r"damaged .*give an empty folder"):
        run(tmp_path, training_of())


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a,b\n1,2\n", "no lines with a column step"), (b"\xff\xfe\0", "cannot be read as a log")],
)
def test_another_file_in_place_of_the_log_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    run(tmp_path, training_of())
    (tmp_path / "log.csv").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        run(tmp_path, training_of())
    assert (tmp_path / "log.csv").read_bytes() == content


def test_damaged_lines_of_the_log_are_left_out(tmp_path: Path) -> None:
    run(tmp_path, training_of())
    lines = (tmp_path / "log.csv").read_bytes().splitlines()
    damaged = [lines[0], b"x" + lines[1], *lines[2:4], lines[4][:7], lines[5] + b",1"]
    (tmp_path / "log.csv").write_bytes(b"\n".join(damaged))
    run(tmp_path, training_of())
    assert [row["step"] for row in rows(tmp_path)] == ["2", "3"]


def test_the_clock_counts_training_and_warns_of_few_steps(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = itertools.count(0, 60)  # whoever asks for the time waits a minute
    monkeypatch.setattr("cocola_metric.training.runs.clock.time.monotonic", lambda: float(next(ticks)))
    with caplog.at_level(logging.WARNING):
        took = run(tmp_path, training_of(), minutes=4.5)
    steps = len(rows(tmp_path))
    assert 1 < steps < 7 and took > 4.5
    assert f"4.5 minutes were enough for {steps} of 7 steps, and fewer than 100 teach nothing" in caplog.text
    assert loop.FEWEST_STEPS == 100


def test_a_log_forgets_what_its_checkpoint_does_not_know(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.csv", LOG, 0)
    for step in range(1, 5):
        log.add(torch.tensor([float(step), 0.5]), 4)
        log.write(step, {"learning_rate": 1e-3, "elsewhere": 7.0})
    Log(tmp_path / "log.csv", LOG, 2)
    assert [(line["step"], line["loss"], line["error"]) for line in rows(tmp_path)] == [
        ("1", "1", "0.5"),
        ("2", "2", "0.5"),
    ]
