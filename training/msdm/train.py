"""Training of an MSDM, from a configuration to its weights."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from ..corpora import StemBank
from ..runs import LogFormat, Pace, Training, note_settings, rows_of_process, run_loop
from .checkpoint import save_msdm
from .config import MSDMTraining, load_msdm_config
from .loss import Denoising
from .network import MSDM
from .noise import Noise, draw_noise
from .stems import Resampler, StemDraws, StemTrack, open_stems

STEPS_BETWEEN_LINES = 50
STEPS_BETWEEN_CHECKPOINTS = 500
VALIDATION_WINDOWS = 64
VALIDATION_SEED = 2**40
"""Seed of validation; those of training steps stay far below."""
LOG = LogFormat(("step", "loss", "validation_loss", "windows_per_second"), rate="windows_per_second")


def train_msdm(
    config: MSDMTraining,
    out: Path,
    *,
    cache: Path | None = None,
    minutes: float | None = None,
    workers: int = 2,
    cpu: bool = False,
) -> MSDM:
    """Train on the training split of corpora, measuring on the validation split; resume from a checkpoint.

    Writes ``log.csv``, ``training.json`` (the resolved configuration), ``checkpoint.pt``, and at the end
    ``config.json`` and ``model.safetensors`` in float16, as ``load_msdm`` reads them.

    Args:
        config: settings of the run.
        out: folder of the run.
        cache: folder of the decoded corpora, which several runs can share; None stands for ``out/bank``.
        minutes: time for training, in minutes, even if steps are left; a learning rate that falls has fallen by then.
        workers: number of processes that decode stems and draw batches.
        cpu: choice of the CPU even if there is a GPU.

    Raises:
        AudioError: no track has two of the model's stems.
        UsageError: the batch cannot be shared among the processes.
    """
    accelerator = Accelerator(cpu=cpu, mixed_precision="bf16" if config.bfloat16 else "no")
    device = accelerator.device
    settings = dataclasses.asdict(config)
    note_settings(out, settings)
    share = rows_of_process(config.batch_size, accelerator)
    resampler = Resampler(config.model.sample_rate, config.model.length)
    with accelerator.main_process_first():
        (bank, tracks), watched = (
            open_stems(config.corpora, split, cache or out / "bank", config.model.stems, workers=workers, device=device)
            for split in ("train", "validation")
        )
    torch.manual_seed(config.seed)
    model = MSDM(config.model).to(device)
    optimizer = torch.optim.Adam(
        model.parameters(), config.learning_rate, betas=config.betas, fused=device.type == "cuda"
    )
    denoising = accelerator.prepare(Denoising(model))
    watching = Watch(*watched, config, resampler, accelerator) if accelerator.is_main_process else None

    def loss(step: int, offsets: Tensor) -> tuple[Tensor]:
        stems = resampler(bank.gather(offsets[share], resampler.reach))
        noise = draw_noise(config, config.batch_size, _seed(config, step), device).part(share)
        return (denoising(stems, noise).mean(),)

    training = Training(
        name="training",
        weights=model.state_dict(),
        optimizer=optimizer,
        draws=_draws(tracks, config, resampler, config.steps),
        batch_size=config.batch_size,
        loss=loss,
        measure=lambda: {"validation_loss": watching.measure(model)} if watching else {},
        log=LOG,
        settings=settings,
    )
    pace = Pace(
        config.steps,
        config.warmup_steps,
        config.largest_gradient,
        steps_between_lines=STEPS_BETWEEN_LINES,
        steps_between_checkpoints=STEPS_BETWEEN_CHECKPOINTS,
    )
    run_loop(accelerator, training, pace, out, minutes=minutes, workers=workers)
    if accelerator.is_main_process:
        save_msdm(model, out, dtype=torch.float16)
    accelerator.wait_for_everyone()
    return model.eval()


class Watch:
    """Validation on the same windows under the same noise every time."""

    def __init__(
        self,
        bank: StemBank,
        tracks: list[StemTrack],
        config: MSDMTraining,
        resampler: Resampler,
        accelerator: Accelerator,
    ) -> None:
        self.bank, self.resampler, self.accelerator = bank, resampler, accelerator
        self.config = dataclasses.replace(config, stratified=True)  # every level in its share, with few windows
        self.draws = _draws(tracks, self.config, resampler, -(-VALIDATION_WINDOWS // config.batch_size))

    @torch.no_grad()
    def measure(self, model: MSDM) -> float:
        """Return the mean loss of `Denoising`."""
        model.eval()
        denoising, losses = Denoising(model), []
        for number in range(len(self.draws)):
            stems = self.resampler(self.bank.gather(self.draws[number], self.resampler.reach))
            seed = VALIDATION_SEED + number
            noise: Noise = draw_noise(self.config, self.config.batch_size, seed, stems.device)
            with self.accelerator.autocast():
                losses.append(denoising(stems, noise).mean())
        model.train()
        return torch.stack(losses).mean().item()


def _draws(tracks: list[StemTrack], config: MSDMTraining, resampler: Resampler, steps: int) -> StemDraws:
    return StemDraws(
        tracks,
        len(config.model.stems),
        resampler.reach,
        batch_size=config.batch_size,
        steps=steps,
        seed=config.seed,
    )


def _seed(config: MSDMTraining, step: int) -> int:
    """Return the seed of a step's noise."""
    return config.seed * 2**32 + step


def run(options: argparse.Namespace) -> None:
    """Train with the options of the command."""
    torch.backends.cudnn.benchmark = True  # all batches have one shape, and convolutions of four channels are odd ones
    config = load_msdm_config(options.config, options.set)
    train_msdm(
        dataclasses.replace(config, corpora=tuple(options.corpus)) if options.corpus else config,
        options.out,
        cache=options.cache,
        minutes=options.minutes,
        workers=options.workers,
        cpu=options.cpu,
    )
    json.dump({"out": str(options.out)}, sys.stdout)
    print()
