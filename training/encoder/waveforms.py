"""The waveforms of a drawn batch: gathered from the bank, altered, filtered and levelled on the bank's device."""

import math

import torch
from torch import Tensor

from cocola_metric.audio import SAMPLE_RATE

from ..corpora import NO_STEM, StemBank
from ..signal import (
    CODECS,
    code_lossily,
    equalise,
    noise_like,
    overdrive,
    play_unevenly,
    reverberate,
    stretch,
    transpose,
)
from .batches import KINDS, MARGIN, Draw
from .bleeding import add_bleed
from .config import SamplingConfig

LARGEST_DRIFT = 0.02  # of a tempo
DRIFT_PERIODS = (2.0, 10.0)  # seconds
ECHO_SECONDS = (0.1, 1.2)
LARGEST_ECHO = 0.7
OVERDRIVES = (0.3, 3.0)
COMPRESSIONS = (0.3, 0.99)


@torch.no_grad()
def hear(bank: StemBank, draw: Draw, config: SamplingConfig) -> tuple[Tensor, Tensor]:
    """Gather, alter, filter and level the sub-mixes of a draw, and add noise (section 4.3), on the bank's device.

    Returns:
        Waveforms, (K, 2, L), or (K, 3, L) with wrong accompaniments; flags of the pairs that have a wrong one, (K,).
    """
    device = bank.device
    length = draw.length
    kind = KINDS[draw.alteration]
    sides = 2 if kind == "none" else 3
    bells, cutoffs, levels, noises = (
        table[:, [0, 1, 1][:sides]].to(device) for table in (draw.bells, draw.cutoffs, draw.levels, draw.noises)
    )
    if kind in ("transpose", "stretch"):
        gathered = _gather(bank, draw, sides, int(length * MARGIN) + 1, config)
        versions = torch.stack([draw.own_version, draw.own_version, 1 - draw.own_version], 1)
        waveforms = torch.empty(*gathered.shape[:2], length, device=device)
        gathered, rows = gathered.flatten(0, 1), waveforms.view(-1, length)
        for version, amount in enumerate(draw.versions.tolist()):
            chosen = (versions.flatten() == version).nonzero()[:, 0].to(device)
            rows[chosen] = (
                transpose(gathered[chosen][:, :length], amount)
                if kind == "transpose"
                else stretch(gathered[chosen], amount, length)
            )
    else:
        waveforms = _gather(bank, draw, sides, length, config)
    generator = torch.Generator(device).manual_seed(draw.noise_seed)
    if kind == "noise":
        waveforms[:, 2] = noise_like(waveforms[:, 2], generator)
    waveforms = _record(waveforms, draw, config)
    if config.equaliser_db or config.low_pass or kind == "transpose":
        flat = equalise(waveforms.flatten(0, 1), bells.flatten(0, 1), cutoffs.flatten(0, 1), SAMPLE_RATE)
        waveforms = flat.unflatten(0, waveforms.shape[:2])
    waveforms = _code(waveforms, draw, config)
    if config.levels == "random":
        power = waveforms.square().mean(-1).clamp(min=1e-12)
        waveforms = waveforms * (10 ** (levels / 20) / power.sqrt()).unsqueeze(-1)
    waveforms += noises.unsqueeze(-1) * torch.randn(waveforms.shape, device=device, generator=generator)
    return waveforms, (draw.offsets[:, 2, 0] != NO_STEM).to(device)


def _gather(bank: StemBank, draw: Draw, sides: int, length: int, config: SamplingConfig) -> Tensor:
    """Gather sides, and what leaks into them: (K, S, length).

    Where settings say so, each track has a speed of its own. Windows of one track share it, or their tempo and key
    would tell them apart.
    """
    if config.fastest <= 1:
        return add_bleed(bank, draw, bank.gather(draw.offsets[:, :sides], length), config)
    generator = torch.Generator().manual_seed(draw.noise_seed ^ 1)
    names, track = draw.tracks.unique(return_inverse=True)
    speeds = (config.fastest ** (2 * torch.rand(len(names), generator=generator) - 1))[track]
    drifts = torch.rand(len(names), 3, generator=generator)[track]
    shortest, longest = DRIFT_PERIODS
    drifts = torch.stack(
        [LARGEST_DRIFT * drifts[:, 0], shortest + (longest - shortest) * drifts[:, 1], 2 * math.pi * drifts[:, 2]], 1
    )
    gathered = bank.gather(draw.offsets[:, :sides], math.ceil(length * config.fastest))
    gathered = add_bleed(bank, draw, gathered, config)
    return play_unevenly(gathered, speeds.to(bank.device), drifts.to(bank.device), length)


def _record(waveforms: Tensor, draw: Draw, config: SamplingConfig) -> Tensor:
    """Overdrive some sides and put some into rooms; a wrong accompaniment is treated as the right one is."""
    if not (config.room or config.overdrive):
        return waveforms
    generator = torch.Generator(waveforms.device).manual_seed(draw.noise_seed ^ 2)
    least, most = (math.log(gain) for gain in OVERDRIVES)
    shortest, longest = ECHO_SECONDS
    for side in (slice(0, 1), slice(1, None)):
        chance = torch.rand(5, len(waveforms), device=waveforms.device, generator=generator)
        chosen = (chance[0] < config.overdrive).nonzero()[:, 0]
        if len(chosen):
            part = waveforms[chosen, side]
            gains = (least + (most - least) * chance[2, chosen]).exp().repeat_interleave(part.shape[1])
            waveforms[chosen, side] = overdrive(part.flatten(0, 1), gains).view_as(part)
        chosen = (chance[1] < config.room).nonzero()[:, 0]
        if len(chosen):
            seconds = shortest + (longest - shortest) * chance[3, chosen]
            waveforms[chosen, side] = reverberate(
                waveforms[chosen, side], seconds, LARGEST_ECHO * chance[4, chosen], generator
            )
    return waveforms


def _code(waveforms: Tensor, draw: Draw, config: SamplingConfig) -> Tensor:
    """Put some sides into lossy files; a wrong accompaniment is treated as the right one is."""
    if not config.codec:
        return waveforms
    generator = torch.Generator().manual_seed(draw.noise_seed ^ 4)
    chances, choices, strengths = torch.rand(3, len(waveforms), 2, generator=generator)
    least, most = COMPRESSIONS
    for row, side in (chances < config.codec).nonzero().tolist():
        container = list(CODECS)[int(choices[row, side] * len(CODECS))]
        compression = least + (most - least) * float(strengths[row, side])
        for place in range(1, waveforms.shape[1]) if side else (0,):
            waveforms[row, place] = code_lossily(waveforms[row, place], container, compression)
    return waveforms
