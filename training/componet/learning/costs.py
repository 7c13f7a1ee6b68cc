"""The costs of CompoNet at full size on this machine: memory and time of training and of generating.

The U-Net and the adapter have the sizes of AudioLDM2-Large and random weights, which cost what trained ones do; VAE,
text encoders and vocoder are left out. Latents are 256 rows, 10.24 s.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from cocola_metric.errors import UsageError

from ..cost_kinds import WORKS, Work
from ..loss import Example, NoiseSchedule, training_loss
from ..network import CompoNet
from ..unet import LARGE, Text, build_unet

ROWS, BANDS, CHANNELS = 256, 16, 8
TOKENS, GENERATED = 16, 8
STEPS = 3  # after the first one, which allocates


@dataclass(frozen=True)
class Cost:
    """The cost of one step.

    Attributes:
        work: kind of work, a key of ``WORKS``.
        batch: number of windows.
        dtype: number format: "float32", or "bfloat16" for autocast over float32 weights.
        gigabytes: largest memory allocated on the device, in GB, with weights and optimiser; None on the CPU.
        seconds: time of a step, in seconds.
    """

    work: Work
    batch: int
    dtype: str
    gigabytes: float | None
    seconds: float


def measure_cost(work: Work, batch: int, *, bfloat16: bool, device: torch.device, config: dict[str, object]) -> Cost:
    """Run a few steps on random latents, and return their cost.

    Raises:
        UsageError: the steps do not fit into the memory.
    """
    cuda = device.type == "cuda"
    try:
        if cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
        with device:
            componet = CompoNet(build_unet(config))
        trained = componet.select_trained(unet_attentions=work == "attentions")
        componet.recompute = work == "recompute"
        optimizer = torch.optim.Adam(trained, 1e-4)
        example = _random_example(batch, device, config)
        schedule = NoiseSchedule(torch.linspace(0.999, 0.005, 1000))

        def step() -> None:
            with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                if work == "generate":
                    with torch.inference_mode():
                        componet(example.target, 500, example.text, example.condition)
                    return
                loss = training_loss(componet, example, schedule)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        step()
        _wait(device)
        begun = time.perf_counter()
        for _ in range(STEPS):
            step()
        _wait(device)
        seconds = (time.perf_counter() - begun) / STEPS
    except torch.OutOfMemoryError as error:
        raise UsageError(
            f"{WORKS[work]}, batch {batch}: does not fit into the memory of {device} ({error}); pass a smaller --batch"
        ) from error
    peak = torch.cuda.max_memory_allocated(device) / 1e9 if cuda else None
    return Cost(work, batch, "bfloat16" if bfloat16 else "float32", peak, seconds)


def _random_example(batch: int, device: torch.device, config: dict[str, object]) -> Example:
    widths = next(iter(config["cross_attention_dim"]))  # type: ignore[call-overload]
    _, generated, sentence, _ = widths

    def noise(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, device=device)

    text = Text(noise(GENERATED, generated), noise(TOKENS, sentence), torch.ones(batch, TOKENS, device=device))
    return Example(noise(CHANNELS, ROWS, BANDS), noise(CHANNELS, ROWS, BANDS), text)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def run(options: argparse.Namespace) -> None:
    """Print one line of JSON per cost; a work that does not fit into the memory is reported and skipped."""
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    for work in options.work:
        for batch in options.batch:
            try:
                cost = measure_cost(work, batch, bfloat16=options.bfloat16, device=device, config=LARGE)
            except UsageError as error:
                print(f"componet-costs: {error}", file=sys.stderr)
                continue
            print(json.dumps({"device": name, **asdict(cost)}), flush=True)
