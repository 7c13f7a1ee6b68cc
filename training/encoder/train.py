"""Training of a COCOLA encoder, from a configuration to its weights."""

import argparse
import ctypes
import dataclasses
import json
import sys
from pathlib import Path
from typing import get_args

import torch
import torch.distributed.nn.functional
from accelerate import Accelerator
from torch import Tensor, nn

from cocola_metric import functional
from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.encoder import CocolaModel, Mode, select_mode
from cocola_metric.errors import UsageError

from ..corpora import StemBank, open_banks
from ..runs import LogFormat, Pace, Training, note_settings, rows_of_process, run_loop
from .batches import Draw, Draws
from .card import save_run
from .choices import CHOICES
from .config import TrainingConfig, load_config
from .depthwise import quicken_depthwise
from .optimizers import make_optimizer
from .starts import freeze_stages, start_similarity, start_weights
from .validation import Validation, front_end_features
from .waveforms import hear

SPLITS_OF_A_RUN = ("train", "validation")
STEPS_BETWEEN_LINES = 50
STEPS_BETWEEN_CHECKPOINTS = 500
CALIBRATION_BATCHES = 60
LOG = LogFormat(
    columns=(
        *("step", "loss", "accuracy", "pairs_per_second"),
        *("validation_loss", "validation_accuracy", "other_track", "same_track"),
        *("shift", "transpose", "stretch", "noise"),
        *(f"among_{count}" for count in CHOICES),
    ),
    means=("loss", "accuracy"),
    digits=4,
)


class Contrast(nn.Module):
    """A model in training: it maps features of pairs to rows of similarities.

    With several processes, each holds its share of the pairs and compares them with the accompaniments of all.
    """

    def __init__(self, model: CocolaModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor, modes: Tensor, has_wrong: Tensor) -> Tensor:
        """Return the similarities of each conditioning with every accompaniment, and with its own wrong one if any.

        Pairs encoded in different modes are no negatives of each other, since an empty channel would give the answer
        away.

        Shape:
            (K, 2 or 3, C, M, F), (K,), (K,) -> (K, K or K + 1).
        """
        model = self.model
        pooled = model.encoder.pool(features.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        with torch.autocast(features.device.type, enabled=False):
            sides = model.encoder.project(pooled.float()).unflatten(0, features.shape[:2]).unbind(1)
            everyone, all_modes = _gathered(sides[1]), _gathered(modes)
            similarities = model.similarity.matrix(sides[0], everyone)
            similarities = similarities.masked_fill(modes[:, None] != all_modes[None, :], float("-inf"))
            if len(sides) == 2:
                return similarities
            wrong = model.similarity.pairs(sides[0], sides[2]).masked_fill(~has_wrong, float("-inf"))
            return torch.cat([similarities, wrong[:, None]], dim=1)


def train(
    config: TrainingConfig,
    out: Path,
    *,
    cache: Path | None = None,
    start_from: str | None = None,
    minutes: float | None = None,
    workers: int = 2,
    cpu: bool = False,
) -> CocolaModel:
    """Train an encoder on the training split of corpora, measuring on the validation split; resume from a checkpoint.

    A new run starts from random weights, or from those that ``start_from`` names (as for ``checkpoints.load``).
    Writes ``log.csv``, ``training.json`` (the resolved configuration), ``checkpoint.pt``, and at the end
    ``config.json``, ``model.safetensors`` in float16 and a model card. The corpora are decoded once, into ``cache`` or
    ``out/bank``.

    Args:
        config: settings of the run.
        out: folder of the run.
        cache: folder of the decoded corpora, which several runs can share.
        start_from: weights to begin with.
        minutes: time for training, in minutes, even if steps are left; the learning rate has fallen by then.
        workers: number of processes that decode stems and draw batches.
        cpu: choice of the CPU even if there is a GPU.

    Raises:
        AudioError: no track has two stems and is long enough.
        UsageError: the batch cannot be shared among the processes, or ``start_share`` lacks weights to start from.
    """
    if config.start_share and start_from is None:
        raise UsageError("start_share needs weights to start from; name them by --start-from")
    accelerator = Accelerator(cpu=cpu, mixed_precision="bf16" if config.bfloat16 else "no")
    share = rows_of_process(config.sampling.batch_size, accelerator)
    settings = dataclasses.asdict(config)
    note_settings(out, settings)
    with accelerator.main_process_first():
        banks = [open_banks(config.corpora, split, cache or out / "bank", workers=workers) for split in SPLITS_OF_A_RUN]
    bank, watched = (StemBank.join(parts, accelerator.device) for parts in banks)
    torch.manual_seed(config.seed)
    model = CocolaModel(config.encoder)
    start_similarity(model, config.w_init)
    if start_from is not None:
        start_weights(model, start_from)
    start = {name: weights.detach().clone() for name, weights in model.named_parameters()}
    model.to(accelerator.device).to(memory_format=torch.channels_last)
    if config.bfloat16 and accelerator.device.type == "cpu":
        quicken_depthwise(model)
    frozen = freeze_stages(model, config.frozen_stages)
    contrast = accelerator.prepare(Contrast(model))
    watching = Validation(watched, config, model) if accelerator.is_main_process else None

    def loss(step: int, draw: Draw) -> tuple[Tensor, Tensor]:
        contrast.train()
        frozen.eval()
        similarities = contrast(*make_features(bank, draw.part(share), model, config, step))
        accuracy = functional.accuracy(similarities.detach(), share.start)
        return functional.contrastive_loss(similarities, share.start, label_smoothing=config.label_smoothing), accuracy

    training = Training(
        name="training",
        weights=model.state_dict(),
        optimizer=make_optimizer(model, config),
        draws=Draws(bank.tracks, config.sampling, steps=config.steps, seed=config.seed),
        batch_size=config.sampling.batch_size,
        loss=loss,
        measure=lambda: watching.measure(model) if watching else {},
        log=LOG,
        settings=settings,
    )
    pace = Pace(
        config.steps,
        config.warmup_steps,
        steps_between_lines=STEPS_BETWEEN_LINES,
        steps_between_checkpoints=STEPS_BETWEEN_CHECKPOINTS,
    )
    run_loop(accelerator, training, pace, out, minutes=minutes, workers=workers)
    if watching is not None:
        with torch.no_grad():
            for name, weights in model.named_parameters():
                weights.lerp_(start[name].to(weights.device), config.start_share)
        if config.calibration:
            calibrate_batch_norm(model, bank, config)
        measured = watching.measure(model)
        print(json.dumps(measured), file=sys.stderr)
        save_run(model, out, config, measured)
    accelerator.wait_for_everyone()
    return model.eval()


@torch.no_grad()
def make_features(
    bank: StemBank, draw: Draw, model: CocolaModel, config: TrainingConfig, step: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the input of `Contrast`: features of a draw's sub-mixes, modes, and a flag per pair with a wrong one.

    The first ``config.short_steps`` use a short piece of the windows, in both channels.
    """
    waveforms, has_wrong = hear(bank, draw, config.sampling)
    short = step <= config.short_steps
    modes = torch.zeros_like(draw.modes) if short or model.encoder.front_end.channels == 1 else draw.modes
    if short:
        length = round(config.short_window * SAMPLE_RATE)
        first = draw.noise_seed % (waveforms.shape[-1] - length + 1)
        waveforms = waveforms[..., first : first + length]
    features = front_end_features(model, waveforms)
    for number, mode in enumerate(get_args(Mode)):
        chosen = (modes == number).nonzero()[:, 0]  # found on the host, so that nothing waits for the device
        if mode != "both" and len(chosen):
            features[chosen] = select_mode(features[chosen].flatten(0, 1), mode).unflatten(0, (-1, features.shape[1]))
    return features, modes.to(features.device), has_wrong


@torch.no_grad()
def calibrate_batch_norm(model: CocolaModel, bank: StemBank, config: TrainingConfig) -> None:
    """Replace the running statistics of every BatchNorm by plain averages over batches of whole windows.

    Running statistics lag behind weights that change, and come from the short pieces of the short steps only.
    """
    norms = [
        module
        for module in model.modules()
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.weight.requires_grad
    ]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    model.eval()
    for norm in norms:
        norm.train()
    sampling = dataclasses.replace(config.sampling, alterations={})
    plain = dataclasses.replace(config, sampling=sampling, short_steps=0)
    draws = Draws(bank.tracks, sampling, steps=CALIBRATION_BATCHES, seed=config.seed + config.steps)
    for number in range(CALIBRATION_BATCHES):
        features, _, _ = make_features(bank, draws[number], model, plain, 1)
        model.encoder.embed_features(features.flatten(0, 1).contiguous(memory_format=torch.channels_last))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.eval()


def _gathered(rows: Tensor) -> Tensor:
    """Return the rows of all processes, in order, with gradients."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return rows
    return torch.cat(torch.distributed.nn.functional.all_gather(rows))


def keep_freed_memory() -> None:
    """Make glibc keep freed blocks; returning them to the system, and getting them zeroed again, costs much time."""
    if sys.platform == "linux":
        m_trim_threshold, m_mmap_max = -1, -4
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(m_mmap_max, 0)
            libc.mallopt(m_trim_threshold, -1)


def run(options: argparse.Namespace) -> None:
    """Train with the options of the command."""
    keep_freed_memory()
    config = load_config(options.config, options.set)
    train(
        dataclasses.replace(config, corpora=tuple(options.corpus)) if options.corpus else config,
        options.out,
        cache=options.cache,
        start_from=options.start_from,
        minutes=options.minutes,
        workers=options.workers,
        cpu=options.cpu,
    )
