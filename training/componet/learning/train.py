"""Training of CompoNet (section 4.2), from a configuration to its adapter."""

import argparse
import dataclasses
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.whole_files import written_whole

from ...corpora import StemBank
from ...runs import Training, note_settings, rows_of_process, run_loop, step_generator
from ..base import Base, generate_latents, open_base
from ..checkpoint import save_weights
from ..latents import ROWS, decode_audio, encode_audio
from ..loss import Example, NoiseSchedule
from ..network import CompoNet
from ..predictions import training_loss, validation_loss
from .config import LOG, CompoNetConfig, LoopConfig, Trained, load_config
from .pairs import NamedTrack, PairConfig, PairDraws, Pairs, open_named_banks, task_mix

WEIGHTS_FILE = "componet.safetensors"
SAMPLES = 4  # pairs of the validation split that are played every so often
VALIDATION_SEED = 1


@dataclass(frozen=True)
class Music:
    """The corpora of a run: banks on the device, and the named stems in them."""

    bank: StemBank
    tracks: list[NamedTrack]
    watched_bank: StemBank
    watched_tracks: list[NamedTrack]


def train(
    config: CompoNetConfig,
    out: Path,
    *,
    cache: Path | None = None,
    minutes: float | None = None,
    workers: int = 2,
    cpu: bool = False,
    accelerator: Accelerator | None = None,
    music: Music | None = None,
) -> CompoNet:
    """Train CompoNet on the training split of corpora, measuring on the validation split; resume from a checkpoint.

    Writes ``training.json`` (the resolved configuration and the mix of tasks), ``log.csv``, ``checkpoint.pt``, and at
    the end ``componet.safetensors``: the trained weights, in float16.

    Args:
        config: settings of the run.
        out: folder of the run.
        cache: folder of the decoded corpora, which several runs can share.
        minutes: time for training, in minutes, even if steps are left.
        workers: number of processes that decode stems and draw batches.
        cpu: choice of the CPU even if there is a GPU.
        accelerator: accelerator in place of a new one.
        music: opened corpora in place of the config's.
    """
    accelerator = accelerator or make_accelerator(config.loop, cpu=cpu)
    device = accelerator.device
    music = music or open_music(config.corpora, cache or out / "bank", accelerator, workers=workers)
    draws = PairDraws(music.tracks, config.pairs, steps=config.loop.steps, seed=config.seed)
    if accelerator.is_main_process:
        note_run(out, dataclasses.asdict(config), draws)
    base = open_base(config.base, device, together=config.together)
    torch.manual_seed(config.seed)
    componet = CompoNet(base.pipeline.unet, zero_init_condition=config.zero_init_condition)
    componet.recompute = config.recompute
    select_trained(componet, config.trained)
    trained = {name: parameter for name, parameter in componet.named_parameters() if parameter.requires_grad}
    prepared = accelerator.prepare(componet)
    schedule = NoiseSchedule(base.pipeline.scheduler.alphas_cumprod.to(device))
    prediction = base.pipeline.scheduler.config.prediction_type
    watched = watched_draws(music, config.pairs, config.validation_batches)
    kept: list[Example] = []

    share = rows_of_process(config.pairs.batch_size, accelerator)

    def loss(step: int, pairs: Pairs) -> tuple[Tensor]:
        generator = step_generator(device, config.seed, step, accelerator.process_index)
        example = latent_example(music.bank, pairs.part(share), base, config, accelerator, generator)
        return (training_loss(prepared, example, schedule, prediction, generator),)

    def measure() -> dict[str, float]:
        if not kept:
            kept.extend(latent_example(music.watched_bank, pairs, base, config, accelerator, None) for pairs in watched)
        with accelerator.autocast():
            return {"validation_loss": validation_loss(componet, kept, schedule, prediction)} if kept else {}

    training = Training(
        name="CompoNet",
        weights=trained,
        optimizer=make_optimizer(trained.values(), config.loop),
        draws=draws,
        batch_size=config.pairs.batch_size,
        loss=loss,
        measure=measure,
        log=LOG,
        settings=dataclasses.asdict(config),
        sample=_sampler(music, base, componet, config, out, accelerator),
    )
    run_loop(accelerator, training, config.loop.pace, out, minutes=minutes, workers=workers)
    if accelerator.is_main_process:
        save_weights(componet, out / WEIGHTS_FILE, dtype=torch.float16)
    accelerator.wait_for_everyone()
    return componet


def make_accelerator(config: LoopConfig, *, cpu: bool = False) -> Accelerator:
    """Return the accelerator of a run, which uses all devices."""
    return Accelerator(cpu=cpu, mixed_precision="bf16" if config.bfloat16 else "no")


def open_music(corpora: Sequence[str], cache: Path, accelerator: Accelerator, *, workers: int) -> Music:
    """Open the splits train and validation of corpora on the device."""
    with accelerator.main_process_first():
        parts = [
            open_named_banks(corpora, split, cache, device=accelerator.device, workers=workers)
            for split in ("train", "validation")
        ]
    return Music(*parts[0], *parts[1])


def note_run(out: Path, config: dict[str, Any], draws: PairDraws) -> None:
    """Write ``training.json``, the configuration and the mix of tasks; print the mix."""
    mix = task_mix(draws)
    shares = ", ".join(f"{task} {100 * share:.1f} %" for task, share in mix.items())
    print(f"tasks (Figure 3; ID: X = Y): {shares}", file=sys.stderr)
    note_settings(out, {**config, "tasks": mix})


def make_optimizer(parameters: Iterable[nn.Parameter], config: LoopConfig) -> torch.optim.Optimizer:
    """Return Adam as in the paper, or AdamW as in the released code."""
    listed = list(parameters)
    options = {"lr": config.learning_rate, "fused": listed[0].is_cuda}
    if config.optimizer == "adam":
        return torch.optim.Adam(listed, **options)  # type: ignore[arg-type]
    return torch.optim.AdamW(listed, betas=(0.95, 0.999), eps=1e-6, weight_decay=1e-3, **options)  # type: ignore[arg-type]


def select_trained(componet: CompoNet, trained: Trained) -> None:
    """Select the parameters to optimise, see `CompoNetConfig.trained`."""
    componet.select_trained(unet_attentions=trained == "attentions")
    if trained == "unet":
        componet.unet.requires_grad_(True)


def watched_draws(music: Music, pairs: PairConfig, batches: int) -> list[Pairs]:
    """Return fixed batches of the validation split."""
    if not batches:
        return []
    draws = PairDraws(music.watched_tracks, pairs, steps=batches, seed=VALIDATION_SEED)
    return [draws[number] for number in range(batches)]


@torch.no_grad()
def latent_example(
    bank: StemBank,
    pairs: Pairs,
    base: Base,
    config: CompoNetConfig,
    accelerator: Accelerator,
    generator: torch.Generator | None,
) -> Example:
    """Return the latents of pairs and the embeddings of their prompts.

    Args:
        bank: bank of the pairs.
        pairs: pairs, B of them.
        base: base with VAE and text encoders.
        config: settings of the window and of the posterior.
        accelerator: accelerator that computes.
        generator: random generator of draws from the posterior; None takes its mode.
    """
    waveforms = bank.gather(pairs.offsets, round(config.pairs.window * SAMPLE_RATE))  # (B, 2, L)
    with accelerator.autocast():
        drawn = generator if config.posterior else None
        latents = encode_audio(base.pipeline.vae, waveforms.flatten(0, 1), generator=drawn, multiple=ROWS)
    condition, target = latents.float().unflatten(0, waveforms.shape[:2]).unbind(1)
    return Example(target, condition, base.texts(pairs.prompts))


def _sampler(
    music: Music, base: Base, componet: CompoNet, config: CompoNetConfig, out: Path, accelerator: Accelerator
) -> Callable[[int], None]:
    """Return the function that writes samples for pairs of the validation split: input mix, answer and real stems."""

    def sample(step: int) -> None:
        if not config.sample_every or step % config.sample_every:
            return
        few = dataclasses.replace(config.pairs, batch_size=SAMPLES)
        pairs = PairDraws(music.watched_tracks, few, steps=1, seed=VALIDATION_SEED)[0]
        length = round(config.pairs.window * SAMPLE_RATE)
        waveforms = music.watched_bank.gather(pairs.offsets, length)
        example = latent_example(music.watched_bank, pairs, base, config, accelerator, None)
        noise = torch.randn(example.target.shape, generator=torch.Generator().manual_seed(0)).to(example.target)
        latents = generate_latents(
            base, componet, pairs.prompts, example.condition, noise, steps=config.sample_steps
        ).float()
        with torch.no_grad():
            made = decode_audio(base.pipeline.vae, base.pipeline.vocoder, latents, samples=length)
        folder = out / "samples"
        folder.mkdir(exist_ok=True)
        for number, (sides, answer) in enumerate(zip(waveforms.cpu(), made.cpu(), strict=True)):
            for name, audio in (("given", sides[0]), ("made", answer), ("target", sides[1])):
                place = folder / f"{step:07d}_{number}_{pairs.tasks[number]}_{name}.wav"
                with written_whole(place, durable=False) as unfinished:
                    soundfile.write(unfinished, audio.numpy(), SAMPLE_RATE, format="WAV")

    return sample


def run(options: argparse.Namespace) -> None:
    """Train with the options of the command."""
    config = load_config(options.config, options.set)
    changes: dict[str, Any] = {"corpora": tuple(options.corpus)} if options.corpus else {}
    changes |= {"base": options.base} if options.base else {}
    train(
        dataclasses.replace(config, **changes),
        options.out,
        cache=options.cache,
        minutes=options.minutes,
        workers=options.workers,
        cpu=options.cpu,
    )
