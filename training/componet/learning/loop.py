"""The loop in which CompoNet and what it stands on are trained: a clock, a log, checkpoints, the same on many GPUs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from tqdm import tqdm

from cocola_metric.errors import UsageError

from ...runs import Clock, Log, agreed, load_ahead, rows_of_process, scheduled_rate
from .pairs import PairDraws, Pairs

Optimizer = Literal["adam", "adamw"]


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast to train; the defaults are the paper's (section 4.2), and the released code's beyond it.

    Attributes:
        steps: optimiser steps.
        learning_rate: its peak.
        warmup_steps: of a linear rise, after which it falls as a cosine to zero; 0 keeps it constant, as published.
        optimizer: "adam" as in the paper; "adamw", with the settings of the released code.
        gradient_clip: largest norm of the gradient; 0, any.
        bfloat16: compute in bfloat16 where it can be.
        log_every: steps between lines of the log.
        checkpoint_every: steps between checkpoints, with the loss on the validation split.
    """

    steps: int = 500_000
    learning_rate: float = 1e-4
    warmup_steps: int = 0
    optimizer: Optimizer = "adam"
    gradient_clip: float = 1.0
    bfloat16: bool = True
    log_every: int = 50
    checkpoint_every: int = 5000

    def __post_init__(self) -> None:
        if self.optimizer not in ("adam", "adamw"):
            raise UsageError(f"optimizer {self.optimizer!r} is unknown: write adam or adamw")


@dataclass
class Stage:
    """What is trained, on what.

    Attributes:
        name: for the progress bar.
        trained: parameters by name; a checkpoint holds them and the moments of the optimiser.
        draws: the batches, one for each step.
        loss: of a step: its number and its batch, of which only this process's share, to a scalar.
        measure: what is to be logged with each checkpoint.
        sample: called after every step with its number, on one process.
    """

    name: str
    trained: Mapping[str, nn.Parameter]
    draws: PairDraws
    loss: Callable[[int, Pairs], Tensor]
    measure: Callable[[], dict[str, float]] = field(default=dict)
    sample: Callable[[int], None] = field(default=lambda step: None)


def run_stage(
    accelerator: Accelerator,
    stage: Stage,
    config: LoopConfig,
    out: Path,
    *,
    minutes: float | None = None,
    workers: int = 2,
) -> None:
    """Train until the steps or the time are over; goes on from ``checkpoint.pt``. Writes it and ``log.csv``.

    Args:
        accelerator: on which ``stage.loss`` computes.
        stage: what is trained; the parameters are changed where they are.
        config: how.
        out: folder of the run.
        minutes: end after so long even if steps are left; with a warm-up, the learning rate has fallen by then.
        workers: processes that draw batches.
    """
    out.mkdir(parents=True, exist_ok=True)
    parameters = list(stage.trained.values())
    optimizer = make_optimizer(parameters, config)
    done = _resume(out / "checkpoint.pt", stage.trained, optimizer)
    clock = Clock(config.steps, minutes)
    log = StageLog(out / "log.csv", done) if accelerator.is_main_process else None
    share = rows_of_process(stage.draws.config.batch_size, accelerator)
    over = agreed(accelerator, clock.share(done))
    batches = load_ahead(stage.draws, done, min(config.steps, len(stage.draws)), workers)
    progress = tqdm(batches, desc=stage.name, unit="step", disable=None if log else True, initial=done)
    for step, draw in enumerate(progress, done + 1):
        rate = config.learning_rate * scheduled_rate(step - 1, over, config.warmup_steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = stage.loss(step, draw.part(share))
        optimizer.zero_grad(set_to_none=True)
        accelerator.backward(loss)
        if config.gradient_clip:
            nn.utils.clip_grad_norm_(parameters, config.gradient_clip)
        optimizer.step()
        mean = accelerator.reduce(loss.detach(), "mean")
        over = agreed(accelerator, clock.share(step))
        ends = over >= 1
        if log is not None:
            log.add(mean, len(draw.prompts))
            if step % config.checkpoint_every == 0 or ends:
                progress.set_postfix(log.write(step, {"learning_rate": rate, **stage.measure()}))
                _save(out / "checkpoint.pt", step, stage.trained, optimizer)
            elif step % config.log_every == 0:
                progress.set_postfix(log.write(step, {"learning_rate": rate}))
            stage.sample(step)
        if ends:
            break
    accelerator.wait_for_everyone()


def make_optimizer(parameters: Iterable[nn.Parameter], config: LoopConfig) -> torch.optim.Optimizer:
    """Return Adam as in the paper, or AdamW as in the released code."""
    listed = list(parameters)
    options = {"lr": config.learning_rate, "fused": listed[0].is_cuda}
    if config.optimizer == "adam":
        return torch.optim.Adam(listed, **options)  # type: ignore[arg-type]
    return torch.optim.AdamW(listed, betas=(0.95, 0.999), eps=1e-6, weight_decay=1e-3, **options)  # type: ignore[arg-type]


def step_generator(device: torch.device, seed: int, step: int, process: int = 0) -> torch.Generator:
    """Return the randomness of a step, which is the same whether or not the run was interrupted before it."""
    (state,) = np.random.SeedSequence([seed, step, process]).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))


class StageLog(Log):
    """The log of a stage."""

    columns = ("step", "loss", "learning_rate", "pairs_per_second", "validation_loss")
    means = ("loss",)
    digits = 5


def _save(path: Path, step: int, trained: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer) -> None:
    partial = path.with_suffix(".partial")
    weights = {name: parameter.detach() for name, parameter in trained.items()}
    torch.save({"step": step, "trained": weights, "optimizer": optimizer.state_dict()}, partial)
    partial.replace(path)


def _resume(path: Path, trained: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["trained"].keys() != trained.keys():
        raise UsageError(f"{path}: other parameters were trained here: give an empty folder, or the same configuration")
    with torch.no_grad():
        for name, parameter in trained.items():
            parameter.copy_(state["trained"][name])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])
