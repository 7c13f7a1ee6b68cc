"""Train a small CompoNet from nothing, in three stages: training train-componet-small CONFIG ...

VAE, then U-Net with the embeddings of tags (no input mix is heard), then the adapter. The run is in --out, each stage
in a folder of its own; a stage that is over is not done again. The model is in OUT/model.
"""

import argparse
import dataclasses
import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch import Tensor, nn

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.errors import CocolaError

from ...corpora import StemBank
from ...runs import add_run_options, build_settings, read_settings
from ..base import Base
from ..latents import ROWS
from ..loss import Example, NoiseSchedule
from ..objective import training_loss, validation_loss
from ..small_files import (
    ADAPTER_FILE,
    SmallShape,
    build_small_pipeline,
    load_small_pipeline,
    save_half,
    save_small_pipeline,
)
from ..tags import TagEncoder
from ..unet import Text, decode, encode
from . import train as train_componet
from .loop import LoopConfig, Stage, run_stage, step_generator
from .pairs import PairConfig, PairDraws, Pairs
from .train import CompoNetConfig, Music, config_of, latent_example
from .vae import Autoencoding, normalise_latents, spectrograms, start_at_the_mean

NORMALISING_BATCHES = 16
PLAYED_BATCHES = 4
MODEL, BASE, VAE = "model", "base", "vae"
STAGES = (VAE, "unet", "adapter")


@dataclass(frozen=True)
class SmallConfig:
    """A run of all three stages.

    Attributes:
        shape: of the networks.
        shares: of the time, for each stage.
        vae_batch_size: pairs in a batch of the first stage.
        vae: how the VAE is trained.
        unet: how the U-Net and the embeddings are trained.
        componet: how the adapter is trained, and the corpora, pairs and precision of all stages.
    """

    componet: CompoNetConfig
    shape: SmallShape = field(default_factory=SmallShape)
    shares: tuple[float, ...] = (0.15, 0.3, 0.55)
    vae_batch_size: int = 16
    vae: LoopConfig = field(default_factory=LoopConfig)
    unet: LoopConfig = field(default_factory=LoopConfig)


class Prompted(nn.Module):
    """The noise predictor of the second stage: the U-Net with the tags, without an input mix."""

    def __init__(self, unet: nn.Module, tags: TagEncoder) -> None:
        super().__init__()
        self.unet, self.tags = unet, tags

    def forward(self, latents: Tensor, timestep: Tensor, numbers: Tensor, condition: Tensor) -> Tensor:
        """Predict the noise in z_t, as `CompoNet` does; the input mix is not heard."""
        text: Text = nn.Module.__call__(self.tags, numbers)
        return decode(self.unet, encode(self.unet, latents, timestep, text), text)


def train(
    config: SmallConfig,
    out: Path,
    *,
    cache: Path | None = None,
    minutes: float | None = None,
    workers: int = 2,
    cpu: bool = False,
) -> Path:
    """Train all stages that are not over; return the folder of the model.

    Args:
        config: what to train, and how.
        out: folder of the run.
        cache: folder of the decoded corpora, which several runs can share.
        minutes: for all stages together, opening the corpora included.
        workers: processes that decode stems and draw batches.
        cpu: keep off the GPU.
    """
    started = time.monotonic()
    accelerator = train_componet.make_accelerator(config.componet.loop, cpu=cpu)
    music = train_componet.open_music(config.componet.corpora, cache or out / "bank", accelerator, workers=workers)
    vocabulary = sorted({tag for one in music.tracks for tag in one.tags})
    familiar = [one for one in music.watched_tracks if set(one.tags) <= set(vocabulary)]
    music = dataclasses.replace(music, watched_tracks=familiar)
    finished = [out / VAE / "vae.safetensors", out / BASE / "small.json", out / MODEL / ADAPTER_FILE]
    left = [share for share, file in zip(config.shares, finished, strict=True) if not file.is_file()]
    budget = 60 * minutes * sum(left) if minutes else None
    run = _Run(config, out, accelerator, music, tuple(vocabulary), workers)
    for name, share, file in zip(STAGES, config.shares, finished, strict=True):
        if file.is_file():
            continue
        rest = None if budget is None else (budget - (time.monotonic() - started)) / 60 * share / sum(left)
        print(f"{name}: {'' if rest is None else f'{rest:.1f} minutes'}", file=sys.stderr)
        getattr(run, f"train_{name}")(rest)
        left.remove(share)
        accelerator.wait_for_everyone()
    return out / MODEL


class _Run:
    """The stages of a run, which share devices and music."""

    def __init__(
        self,
        config: SmallConfig,
        out: Path,
        accelerator: Accelerator,
        music: Music,
        vocabulary: tuple[str, ...],
        workers: int,
    ) -> None:
        self.config, self.out, self.accelerator, self.music = config, out, accelerator, music
        self.vocabulary, self.workers = vocabulary, workers
        self.length = round(config.componet.pairs.window * SAMPLE_RATE)
        self.device, self.seed = accelerator.device, config.componet.seed

    def train_vae(self, minutes: float | None) -> None:
        torch.manual_seed(self.seed)
        vae = build_small_pipeline(self.config.shape, self.vocabulary).vae.to(self.device).requires_grad_(True)
        start_at_the_mean(vae)
        objective = Autoencoding(vae)
        prepared = self.accelerator.prepare(objective)
        watched = [self.mels(self.music.watched_bank, pairs) for pairs in self.watched()]

        def loss(step: int, pairs: Pairs) -> Tensor:
            mel = self.mels(self.music.bank, pairs)
            generator = step_generator(self.device, self.seed, step, self.accelerator.process_index)
            noise = torch.randn(_latents_of(mel), generator=generator, device=self.device)
            value: Tensor = prepared(mel, noise)
            return value

        @torch.no_grad()
        def measure() -> dict[str, float]:
            losses = [objective(mel, torch.zeros(_latents_of(mel), device=self.device)).item() for mel in watched]
            return {"validation_loss": sum(losses) / len(losses)} if losses else {}

        draws = self.draws(self.config.vae.steps, self.config.vae_batch_size)
        self.run(Stage("VAE", dict(vae.named_parameters()), draws, loss, measure), self.config.vae, VAE, minutes)
        if self.accelerator.is_main_process:
            batches = min(NORMALISING_BATCHES, len(draws))
            with self.accelerator.autocast():
                normalise_latents(vae, (self.mels(self.music.bank, draws[number]) for number in range(batches)))
            save_half(vae.state_dict(), self.out / VAE / "vae.safetensors")

    def train_unet(self, minutes: float | None) -> None:
        torch.manual_seed(self.seed)
        pipeline = build_small_pipeline(self.config.shape, self.vocabulary)
        pipeline.vae.load_state_dict(load_file(self.out / VAE / "vae.safetensors"))
        pipeline.to(self.device)
        prompted = Prompted(pipeline.unet, pipeline.text_encoder_2).requires_grad_(True)
        prepared = self.accelerator.prepare(prompted)
        schedule = NoiseSchedule(pipeline.scheduler.alphas_cumprod.to(self.device))
        prediction = self.config.shape.prediction
        base = Base(pipeline, pipeline.text_encoder_2.numbers)
        kept: list[Example] = []

        def example(bank: StemBank, pairs: Pairs, generator: torch.Generator | None) -> Example:
            found = latent_example(bank, pairs, base, self.config.componet, self.accelerator, generator)
            return found._replace(text=found.text.to(self.device, non_blocking=True))  # type: ignore[attr-defined]

        def loss(step: int, pairs: Pairs) -> Tensor:
            generator = step_generator(self.device, self.seed, step, self.accelerator.process_index)
            return training_loss(prepared, example(self.music.bank, pairs, generator), schedule, prediction, generator)

        def measure() -> dict[str, float]:
            if not kept:
                kept.extend(example(self.music.watched_bank, pairs, None) for pairs in self.watched())
            with self.accelerator.autocast():
                return {"validation_loss": validation_loss(prompted, kept, schedule, prediction)} if kept else {}

        stage = Stage("U-Net", dict(prompted.named_parameters()), self.draws(self.config.unet.steps), loss, measure)
        self.run(stage, self.config.unet, BASE, minutes)
        if self.accelerator.is_main_process:
            save_small_pipeline(self.out / BASE, self.config.shape, pipeline)

    def train_adapter(self, minutes: float | None) -> None:
        config = dataclasses.replace(self.config.componet, base=str(self.out / BASE))
        componet = train_componet.train(
            config,
            self.out / "adapter",
            minutes=minutes,
            workers=self.workers,
            accelerator=self.accelerator,
            music=self.music,
        )
        if self.accelerator.is_main_process:
            self.gather_model(componet)

    def gather_model(self, componet: nn.Module) -> None:
        """Write the model as one folder: the U-Net as it is now, and the adapter alone."""
        model = self.out / MODEL
        pipeline = load_small_pipeline(self.out / BASE)
        pipeline.unet.load_state_dict({key: value.cpu() for key, value in componet.unet.state_dict().items()})  # type: ignore[union-attr]
        save_small_pipeline(model, self.config.shape, pipeline)
        resolved = json.dumps(dataclasses.asdict(self.config), indent=2) + "\n"
        mix = json.loads((self.out / "adapter" / "training.json").read_text())["tasks"]
        (model / "training.json").write_text(json.dumps({**json.loads(resolved), "tasks": mix}, indent=2) + "\n")
        for folder, name in ((VAE, "vae"), (BASE, "unet"), ("adapter", "adapter")):
            shutil.copyfile(self.out / folder / "log.csv", model / f"{name}.log.csv")
        state = {f"controlnet.{key}": value for key, value in componet.controlnet.state_dict().items()}  # type: ignore[union-attr]
        save_half(state, model / ADAPTER_FILE, {"format": "pt", "model": "componet"})

    def draws(self, steps: int, batch_size: int | None = None) -> PairDraws:
        pairs: PairConfig = self.config.componet.pairs
        pairs = dataclasses.replace(pairs, batch_size=batch_size or pairs.batch_size)
        return PairDraws(self.music.tracks, pairs, steps=steps, seed=self.seed)

    def watched(self) -> list[Pairs]:
        config = self.config.componet
        return train_componet.watched_draws(self.music, config.pairs, config.validation_batches)

    @torch.no_grad()
    def mels(self, bank: StemBank, pairs: Pairs) -> Tensor:
        """Return the spectrograms of both sides: (2 B, 1, F, 64)."""
        return spectrograms(bank.gather(pairs.offsets, self.length).flatten(0, 1), multiple=ROWS)

    def run(self, stage: Stage, loop: LoopConfig, folder: str, minutes: float | None) -> None:
        run_stage(self.accelerator, stage, loop, self.out / folder, minutes=minutes, workers=self.workers)


def _latents_of(mel: Tensor) -> tuple[int, int, int, int]:
    return (len(mel), 8, mel.shape[2] // 4, mel.shape[3] // 4)


def load_config(path: Path, changes: Sequence[str] = ()) -> SmallConfig:
    """Read a TOML file with the tables [small], [vae] and [unet], and the settings of `CompoNetConfig`.

    Args:
        path: of the file.
        changes: settings in place of the file's, as ``vae.steps=100``; a value is TOML.

    Raises:
        CocolaError: the file is missing or no TOML, a key that no setting has, or a change that is no TOML.
    """
    values = read_settings(path, changes)
    small = values.pop("small", {})
    own = {name: small.pop(name) for name in ("shares", "vae_batch_size") if name in small}
    parts = {name: build_settings(LoopConfig, values.pop(name, {}), path) for name in (VAE, "unet")}
    shape = build_settings(SmallShape, small, path)
    return build_settings(SmallConfig, {"componet": config_of(values, path), "shape": shape, **own, **parts}, path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m cocola_metric.training train-componet-small",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_run_options(parser)
    options = parser.parse_args(arguments)
    try:
        config = load_config(options.config, options.set)
        if options.corpus:
            componet = dataclasses.replace(config.componet, corpora=tuple(options.corpus))
            config = dataclasses.replace(config, componet=componet)
        model = train(
            config,
            options.out,
            cache=options.cache,
            minutes=options.minutes,
            workers=options.workers,
            cpu=options.cpu,
        )
    except CocolaError as error:
        parser.exit(1, f"componet_small: {error}\n")
    print(json.dumps({"model": str(model), "bytes": sum(_sizes(model))}))


def _sizes(folder: Path) -> Iterator[int]:
    return (file.stat().st_size for file in folder.iterdir() if file.is_file())
