"""A verdict on noise for an encoder with phasors: a logistic regression that tells noise from accompaniments."""

import argparse
import dataclasses
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from cocola_metric import checkpoints
from cocola_metric.encoder import MODES, VERDICT_WIDTH, CocolaModel, EncoderConfig, PhasorEfficientNet, select_mode
from cocola_metric.errors import UsageError

from ..corpora import StemBank, open_banks
from .batches import Draws
from .config import TrainingConfig, load_config
from .maps import backbone_of
from .noises import draw_noises
from .validation import BATCH_OF_FEATURES
from .waveforms import hear

NAMES = {"placed_wide_phasor_efficientnet_b0": "placed_wide_phasor_noise_efficientnet_b0"}
"""Backbone without a verdict -> the same with one."""
VERDICT = "encoder.backbone.verdict.", "similarity.noise."
"""Beginnings of the names of its weights."""
WINDOWS_OF_NOISE = 288
DECAY = 1e-3
SHARPNESS = 2.0
CAUTION = 4.0
"""What is taken off the logit, so that music is rarely taken for noise."""
STEPS = 300


def add_verdict(encoder: CocolaModel, logit: nn.Linear) -> CocolaModel:
    """Return an encoder with a verdict on noise beside its other parts, which keep their weights.

    Args:
        encoder: encoder joined with wide phasors; a verdict that it has is replaced.
        logit: linear layer of one output on the readings before the projection.

    Raises:
        UsageError: the encoder is of another kind.
    """
    heard = CocolaModel(_with_verdict(encoder.config))
    backbone = heard.encoder.backbone
    assert isinstance(backbone, PhasorEfficientNet) and backbone.verdict is not None  # so the name says
    backbone.verdict.logit = logit
    kept = {name: tensor for name, tensor in encoder.state_dict().items() if not name.startswith(VERDICT)}
    heard.load_state_dict(heard.state_dict() | kept)
    return heard.eval()


def _with_verdict(config: EncoderConfig) -> EncoderConfig:
    if config.backbone in NAMES.values():
        return config
    if config.backbone not in NAMES:
        raise UsageError(
            f"backbone {config.backbone!r} takes no verdict on noise; pass an encoder of {', '.join(NAMES)}, "
            "which join-head writes"
        )
    return dataclasses.replace(
        config,
        backbone=NAMES[config.backbone],
        similarity=f"{config.similarity}_noise",
        embedding_dim=config.embedding_dim + VERDICT_WIDTH,
    )


@torch.no_grad()
def read_windows(encoder: CocolaModel, waveforms: Tensor) -> Tensor:
    """Return the readings of windows, in all modes: (K, L) -> (3 K, W)."""
    backbone = backbone_of(encoder)
    assert isinstance(backbone, PhasorEfficientNet)
    found = []
    for batch in waveforms.split(BATCH_OF_FEATURES):
        features = encoder.encoder.front_end(batch)
        for mode in MODES:
            images = select_mode(features, mode).contiguous(memory_format=torch.channels_last)
            found.append(backbone.readings(images, backbone.maps(images)))
    return torch.cat(found)


def fit_logit(music: Tensor, noise: Tensor) -> nn.Linear:
    """Return the logistic regression that tells noise from music, both counting alike, made sharper and more cautious.

    Shape:
        (N, W), (M, W) -> layer (.., W) -> (.., 1).
    """
    weight = torch.zeros(music.shape[1], requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        of_music = nn.functional.softplus(music @ weight + bias).mean()
        of_noise = nn.functional.softplus(-(noise @ weight + bias)).mean()
        total: Tensor = of_music + of_noise + DECAY * weight.square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    logit = nn.Linear(music.shape[1], 1)
    with torch.no_grad():
        logit.weight.copy_(SHARPNESS * weight[None])
        logit.bias.copy_(SHARPNESS * bias - CAUTION)
    return logit.requires_grad_(False)


def read_music(encoder: CocolaModel, config: TrainingConfig, split: str, batches: int, cache: Path) -> Tensor:
    """Return the readings of drawn sub-mixes and of their accompaniments, in all modes."""
    bank = StemBank.join(open_banks(config.corpora, split, cache, workers=1), "cpu")
    sampling = dataclasses.replace(config.sampling, alterations={})
    draws = Draws(bank.tracks, sampling, steps=batches, seed=config.seed, split=split)
    found = []
    for number in tqdm(range(batches), desc=f"readings of {split}", unit="batch", disable=None):
        waveforms, _ = hear(bank, draws[number], sampling)
        found.append(read_windows(encoder, waveforms[:, :2].flatten(0, 1)))
    return torch.cat(found)


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    config = load_config(options.config, options.set)
    if options.corpus:
        config = dataclasses.replace(config, corpora=tuple(options.corpus))
    encoder = checkpoints.load(options.encoder).model
    readings: dict[str, tuple[Tensor, Tensor]] = {}
    cache = options.cache or options.out / "bank"
    for split, batches in (("train", options.batches), ("validation", max(1, options.batches // 4))):
        generator = torch.Generator().manual_seed(config.seed + len(readings))
        noise = read_windows(encoder, draw_noises(WINDOWS_OF_NOISE, generator))
        readings[split] = read_music(encoder, config, split, batches, cache), noise
    logit = fit_logit(*readings["train"])
    for split, (music, noise) in readings.items():
        taken, left = (torch.sigmoid(logit(part)) for part in (music, noise))
        print(
            f"{split}: {100 * (taken > 0.5).float().mean():.2f} % of {len(music)} readings of music pass for noise, "
            f"{100 * (left < 0.5).float().mean():.2f} % of {len(noise)} of noise for music",
            file=sys.stderr,
        )
    checkpoints.save(add_verdict(encoder, logit), options.out, dtype=torch.float16)
