"""The three stages in which a small CompoNet is trained: VAE, U-Net with the tags, adapter."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch import Tensor, nn

from cocola_metric.audio import SAMPLE_RATE

from ...corpora import StemBank
from ...runs import Training, note_settings, rows_of_process, run_loop, save_tensors, step_generator
from ..base import Base
from ..checkpoint import METADATA
from ..latents import ROWS
from ..loss import Example, NoiseSchedule
from ..predictions import training_loss, validation_loss
from ..small_files import ADAPTER_FILE, build_small_pipeline, load_small_pipeline, save_small_pipeline
from ..tags import TagEncoder
from ..unet import Text, decode, encode
from . import train as train_componet
from .config import LOG, LoopConfig, SmallConfig
from .pairs import PairConfig, PairDraws, Pairs
from .train import Music, latent_example
from .vae import Autoencoding, normalise_latents, spectrograms, start_at_the_mean

NORMALISING_BATCHES = 16
MODEL, BASE, VAE, ADAPTER = "model", "base", "vae", "adapter"


class Prompted(nn.Module):
    """The noise predictor of the second stage: the U-Net with the tags, without an input mix."""

    def __init__(self, unet: nn.Module, tags: TagEncoder) -> None:
        super().__init__()
        self.unet, self.tags = unet, tags

    def forward(self, latents: Tensor, timestep: Tensor, numbers: Tensor, condition: Tensor) -> Tensor:
        """Predict the noise in z_t, as `CompoNet` does, but without the input mix."""
        text: Text = nn.Module.__call__(self.tags, numbers)
        return decode(self.unet, encode(self.unet, latents, timestep, text), text)


class Stages:
    """The stages of a run, which share devices and music; ``minutes`` holds the training times of VAE and U-Net."""

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
        self.device, self.seed, self.minutes = accelerator.device, config.componet.seed, 0.0

    def train_vae(self, minutes: float | None) -> None:
        """Train the VAE, and bring its latents to unit variance."""
        torch.manual_seed(self.seed)
        vae = build_small_pipeline(self.config.shape, self.vocabulary).vae.to(self.device).requires_grad_(True)
        start_at_the_mean(vae)
        objective = Autoencoding(vae)
        prepared = self.accelerator.prepare(objective)
        watched = [self.mels(self.music.watched_bank, pairs) for pairs in self.watched()]

        def loss(pairs: Pairs, generator: torch.Generator) -> Tensor:
            mel = self.mels(self.music.bank, pairs)
            value: Tensor = prepared(mel, torch.randn(_latents_of(mel), generator=generator, device=self.device))
            return value

        @torch.no_grad()
        def measure() -> dict[str, float]:
            losses = [objective(mel, torch.zeros(_latents_of(mel), device=self.device)).item() for mel in watched]
            return {"validation_loss": sum(losses) / len(losses)} if losses else {}

        draws = self.draws(self.config.vae.steps, self.config.vae_batch_size)
        self.run("VAE", vae, draws, loss, measure, self.config.vae, VAE, minutes)
        if self.accelerator.is_main_process:
            batches = min(NORMALISING_BATCHES, len(draws))
            with self.accelerator.autocast():
                normalise_latents(vae, (self.mels(self.music.bank, draws[number]) for number in range(batches)))
            save_tensors(self.out / VAE / "vae.safetensors", vae.state_dict(), dtype=torch.float16)

    def train_unet(self, minutes: float | None) -> None:
        """Train the U-Net and the embeddings of tags on the latents of the VAE."""
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

        def loss(pairs: Pairs, generator: torch.Generator) -> Tensor:
            return training_loss(prepared, example(self.music.bank, pairs, generator), schedule, prediction, generator)

        def measure() -> dict[str, float]:
            if not kept:
                kept.extend(example(self.music.watched_bank, pairs, None) for pairs in self.watched())
            with self.accelerator.autocast():
                return {"validation_loss": validation_loss(prompted, kept, schedule, prediction)} if kept else {}

        draws = self.draws(self.config.unet.steps)
        self.run("U-Net", prompted, draws, loss, measure, self.config.unet, BASE, minutes)
        if self.accelerator.is_main_process:
            save_small_pipeline(self.out / BASE, self.config.shape, pipeline)

    def train_adapter(self, minutes: float | None) -> None:
        """Train the adapter on VAE and U-Net, and gather the model."""
        config = dataclasses.replace(self.config.componet, base=str(self.out / BASE))
        componet = train_componet.train(
            config,
            self.out / ADAPTER,
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
        mix = json.loads((self.out / ADAPTER / "training.json").read_text())["tasks"]
        note_settings(model, {**dataclasses.asdict(self.config), "tasks": mix})
        for folder, name in ((VAE, "vae"), (BASE, "unet"), (ADAPTER, "adapter")):
            shutil.copyfile(self.out / folder / "log.csv", model / f"{name}.log.csv")
        state = {f"controlnet.{key}": value for key, value in componet.controlnet.state_dict().items()}  # type: ignore[union-attr]
        save_tensors(model / ADAPTER_FILE, state, dtype=torch.float16, metadata=METADATA)

    def draws(self, steps: int, batch_size: int | None = None) -> PairDraws:
        """Return the batches of a stage."""
        pairs: PairConfig = self.config.componet.pairs
        pairs = dataclasses.replace(pairs, batch_size=batch_size or pairs.batch_size)
        return PairDraws(self.music.tracks, pairs, steps=steps, seed=self.seed)

    def watched(self) -> list[Pairs]:
        """Return the batches of the validation split."""
        config = self.config.componet
        return train_componet.watched_draws(self.music, config.pairs, config.validation_batches)

    @torch.no_grad()
    def mels(self, bank: StemBank, pairs: Pairs) -> Tensor:
        """Return the spectrograms of both sides: (2 B, 1, F, 64)."""
        return spectrograms(bank.gather(pairs.offsets, self.length).flatten(0, 1), multiple=ROWS)

    def run(
        self,
        name: str,
        model: nn.Module,
        draws: PairDraws,
        loss: Callable[[Pairs, torch.Generator], Tensor],
        measure: Callable[[], dict[str, float]],
        loop: LoopConfig,
        folder: str,
        minutes: float | None,
    ) -> None:
        """Train all parameters of a model; ``loss`` is a function of this process's pairs and the step's generator."""
        share = rows_of_process(draws.config.batch_size, self.accelerator)

        def step_loss(step: int, pairs: Pairs) -> tuple[Tensor]:
            generator = step_generator(self.device, self.seed, step, self.accelerator.process_index)
            return (loss(pairs.part(share), generator),)

        weights = dict(model.named_parameters())
        training = Training(
            name=name,
            weights=weights,
            optimizer=train_componet.make_optimizer(weights.values(), loop),
            draws=draws,
            batch_size=draws.config.batch_size,
            loss=step_loss,
            measure=measure,
            log=LOG,
            settings=dataclasses.asdict(self.config),
        )
        out = self.out / folder
        self.minutes += run_loop(self.accelerator, training, loop.pace, out, minutes=minutes, workers=self.workers)


def _latents_of(mel: Tensor) -> tuple[int, int, int, int]:
    return (len(mel), 8, mel.shape[2] // 4, mel.shape[3] // 4)
