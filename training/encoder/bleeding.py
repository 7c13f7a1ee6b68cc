"""Bleed in a drawn batch: other stems of the track leak into each stem, or another track into a sub-mix."""

import torch
from torch import Tensor

from ..corpora import NO_STEM, StemBank
from ..signal import CUTOFFS_HZ, DELAYS, bleed_gains, leak
from .batches import Draw
from .config import SamplingConfig

SIDES = 2  # conditioning and accompaniment; a wrong accompaniment is treated as the right one is


def add_bleed(bank: StemBank, draw: Draw, gathered: Tensor, config: SamplingConfig) -> Tensor:
    """Let stems bleed, as the settings say; the draws depend on the seed of the batch's noise alone.

    Args:
        bank: bank of the drawn stems.
        draw: draw of the batch.
        gathered: sums of the stems of each side, clean.
        config: settings of drawing batches.

    Shape:
        (K, S, L) -> (K, S, L).
    """
    if not (config.bleed or config.foreign_bleed):
        return gathered
    generator = torch.Generator().manual_seed(draw.noise_seed ^ 3)
    count, _, stems = draw.offsets.shape
    chances = torch.rand(count, 1 + SIDES, generator=generator)
    levels = _uniform((count, SIDES, stems + 1), config.bleed_db, generator)  # the last one is the other track's
    air = torch.stack([_uniform((count, SIDES, stems), limits, generator) for limits in (DELAYS, CUTOFFS_HZ)], -1)
    choices = torch.rand(count, SIDES, generator=generator)
    bled = gathered.clone()
    for row in range(count):
        for side in range(gathered.shape[1]):
            drawn = min(side, SIDES - 1)
            places = draw.offsets[row, side]
            if places[0] == NO_STEM:
                continue
            if chances[row, 0] < config.bleed:
                own = levels[row, drawn, :-1], air[row, drawn]
                bled[row, side] += _leaks(bank, places[places != NO_STEM], *own, gathered.shape[-1], config.bleed_as)
            if chances[row, 1 + drawn] < config.foreign_bleed:
                strangers = (draw.tracks != draw.tracks[row]).nonzero()[:, 0]
                if len(strangers):
                    chosen = int(strangers[int(choices[row, drawn] * len(strangers))])
                    foreign = _whole(bank, int(draw.offsets[chosen, 0, 0]), gathered.shape[-1])
                    bled[row, side] += bleed_gains(levels[row, drawn, -1:]).to(bled.device) * foreign
    return bled


def _leaks(bank: StemBank, places: Tensor, levels: Tensor, air: Tensor, length: int, kind: str) -> Tensor:
    """Return the sum of what leaks into some stems of a track: (S,) -> (L,)."""
    stems = bank.gather(places[:, None], length)
    others = _whole(bank, int(places[0]), length) - stems
    factors = bleed_gains(levels[: len(places)]).to(stems.device)
    return (factors[:, None] * leak(others, stems, kind, air[: len(places)].to(stems.device))).sum(0)


def _whole(bank: StemBank, place: int, length: int) -> Tensor:
    """Return the sum of all stems of a track at the time of one of its places: (length,)."""
    return bank.gather(torch.from_numpy(bank.track_at(place))[None], length)[0]


def _uniform(shape: tuple[int, ...], limits: tuple[float, float], generator: torch.Generator) -> Tensor:
    low, high = limits
    return low + (high - low) * torch.rand(shape, generator=generator)
