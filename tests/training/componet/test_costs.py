"""The command that measures what CompoNet costs, on a tiny network."""

import json
from typing import get_args

import pytest
import torch

tiny = pytest.importorskip("tiny_audioldm2")

from cocola_metric.training.componet import commands, cost_kinds  # noqa: E402
from cocola_metric.training.componet.learning import costs  # noqa: E402


@pytest.mark.parametrize("work", get_args(cost_kinds.Work))
def test_every_work_runs(work: str, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(costs, "LARGE", tiny.SMALL)
    monkeypatch.setattr(costs, "ROWS", tiny.ROWS)
    monkeypatch.setattr(costs, "BANDS", tiny.BANDS)
    commands.componet_costs(["--batch", "2", "--work", work, "--device", "cpu"])
    cost = json.loads(capsys.readouterr().out)
    assert (cost["work"], cost["batch"], cost["dtype"], cost["gigabytes"]) == (work, 2, "float32", None)
    assert cost["seconds"] > 0


def test_what_does_not_fit_is_said(monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fill(config: object) -> torch.nn.Module:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(costs, "build_unet", fill)
    commands.componet_costs(["--work", "adapter", "--device", "cpu"])
    printed = capsys.readouterr()
    assert not printed.out and "training the adapter, batch 1: does not fit" in printed.err
