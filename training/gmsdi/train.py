"""Training of the model behind GMSDI, from a configuration to its weights."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ..corpora import StemBank
from ..msdm import Noise, Resampler, StemTrack, denoising_losses, draw_noise, open_stems
from ..runs import LogFormat, Pace, Training, note_settings, rows_of_process, run_loop
from .checkpoint import load_weights_of, save_gmsdi
from .config import GMSDITraining, load_gmsdi_config
from .network import GMSDI, GMSDIConfig
from .submixes import SubmixDraws, Submixes, measure_powers

STEPS_BETWEEN_LINES = 50
STEPS_BETWEEN_CHECKPOINTS = 500
VALIDATION_WINDOWS = 64
VALIDATION_SEED = 2**40
"""Seed of validation; those of training steps stay far below."""
LOG = LogFormat(("step", "loss", "validation_loss", "untagged_loss", "windows_per_second"), rate="windows_per_second")


class Denoising(nn.Module):
    """A model in training: it maps sub-mixes, their tags and noise to losses."""

    def __init__(self, model: GMSDI) -> None:
        super().__init__()
        self.model = model

    def forward(self, music: Tensor, words: Tensor, noise: Noise) -> Tensor:
        """Return `msdm.denoising_losses` with the tags: (B, 1, L), (B, V), noise of B items -> (B,)."""
        return denoising_losses(
            lambda x, time: self.model.predict(x, time, words), music, noise, self.model.config.sigma_data
        )


def train_gmsdi(
    config: GMSDITraining,
    out: Path,
    *,
    cache: Path | None = None,
    start_from: Path | None = None,
    minutes: float | None = None,
    workers: int = 2,
    cpu: bool = False,
) -> GMSDI:
    """Train on the training split of corpora, measuring on the validation split; resume from a checkpoint.

    Writes ``log.csv``, ``training.json`` (the resolved configuration), ``checkpoint.pt``, and at the end
    ``config.json`` and ``model.safetensors`` in float16, as ``load_gmsdi`` reads them.

    Args:
        config: settings of the run.
        out: folder of the run.
        cache: folder of the decoded corpora, which several runs can share; None stands for ``out/bank``.
        start_from: folder of a model of the same configuration whose weights are the first ones.
        minutes: time for training, in minutes, even if steps are left; a learning rate that falls has fallen by then.
        workers: number of processes that decode stems and draw batches.
        cpu: choice of the CPU even if there is a GPU.

    Raises:
        AudioError: no track has two of the model's tags.
        CheckpointError: the model to start from is of another configuration.
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
            open_stems(config.corpora, split, cache or out / "bank", config.model.tags, workers=workers, device=device)
            for split in ("train", "validation")
        )
    torch.manual_seed(config.seed)
    model = GMSDI(with_powers(config.model, tracks))
    if start_from is not None:
        load_weights_of(model, start_from)
    model.to(device)
    optimizer = torch.optim.Adam(
        model.parameters(), config.learning_rate, betas=config.betas, fused=device.type == "cuda"
    )
    denoising = accelerator.prepare(Denoising(model))
    watching = Watch(*watched, config, resampler, accelerator) if accelerator.is_main_process else None

    def loss(step: int, submixes: Submixes) -> tuple[Tensor]:
        part = submixes.part(share)
        music = resampler(bank.gather(part.offsets[:, None], resampler.reach))  # (B, 1, L)
        noise = draw_noise(config, config.batch_size, _seed(config, step), device).part(share)
        return (denoising(music, part.words.to(device), noise).mean(),)

    training = Training(
        name="training",
        weights=model.state_dict(),
        optimizer=optimizer,
        draws=_draws(tracks, config, resampler, config.steps),
        batch_size=config.batch_size,
        loss=loss,
        measure=lambda: watching.measure(model) if watching else {},
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
        save_gmsdi(model, out, dtype=torch.float16)
    accelerator.wait_for_everyone()
    return model.eval()


def with_powers(model: GMSDIConfig, tracks: list[StemTrack]) -> GMSDIConfig:
    """Return a model's configuration with the powers of its tags in some tracks, unless it has powers already."""
    return dataclasses.replace(model, powers=model.powers or measure_powers(tracks, len(model.tags)))


class Watch:
    """Validation on the same windows under the same noise every time, with their tags and without."""

    def __init__(
        self,
        bank: StemBank,
        tracks: list[StemTrack],
        config: GMSDITraining,
        resampler: Resampler,
        accelerator: Accelerator,
    ) -> None:
        self.bank, self.resampler, self.accelerator = bank, resampler, accelerator
        # every level in its share, with few windows; all windows have their tags
        self.config = dataclasses.replace(config, stratified=True, untagged=0.0)
        self.draws = _draws(tracks, self.config, resampler, -(-VALIDATION_WINDOWS // config.batch_size))

    @torch.no_grad()
    def measure(self, model: GMSDI) -> dict[str, float]:
        """Return the mean loss of `Denoising`: what the tags are worth is the difference of the two."""
        model.eval()
        denoising, losses = Denoising(model), []
        for number in range(len(self.draws)):
            submixes = self.draws[number]
            music = self.resampler(self.bank.gather(submixes.offsets[:, None], self.resampler.reach))
            words = submixes.words.to(music.device)
            noise = draw_noise(self.config, self.config.batch_size, VALIDATION_SEED + number, music.device)
            with self.accelerator.autocast():
                losses.append([denoising(music, given, noise).mean() for given in (words, torch.zeros_like(words))])
        model.train()
        tagged, untagged = torch.tensor(losses).mean(dim=0).tolist()
        return {"validation_loss": tagged, "untagged_loss": untagged}


def _draws(tracks: list[StemTrack], config: GMSDITraining, resampler: Resampler, steps: int) -> SubmixDraws:
    return SubmixDraws(
        tracks,
        len(config.model.tags),
        resampler.reach,
        batch_size=config.batch_size,
        steps=steps,
        untagged=config.untagged,
        seed=config.seed,
    )


def _seed(config: GMSDITraining, step: int) -> int:
    """Return the seed of a step's noise."""
    return config.seed * 2**32 + step


def run(options: argparse.Namespace) -> None:
    """Train with the options of the command."""
    torch.backends.cudnn.benchmark = True  # all batches have one shape
    config = load_gmsdi_config(options.config, options.set)
    train_gmsdi(
        dataclasses.replace(config, corpora=tuple(options.corpus)) if options.corpus else config,
        options.out,
        cache=options.cache,
        start_from=options.start_from,
        minutes=options.minutes,
        workers=options.workers,
        cpu=options.cpu,
    )
    json.dump({"out": str(options.out)}, sys.stdout)
    print()
