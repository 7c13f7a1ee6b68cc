"""The waveforms of a drawn batch: gathered from the bank, altered, filtered and levelled on the bank's device."""

import torch
from torch import Tensor

from cocola_metric.audio import SAMPLE_RATE

from ..corpora import NO_STEM, StemBank
from ..signal import equalise, noise_like, stretch, transpose
from .batches import KINDS, MARGIN, Draw
from .config import SamplingConfig


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
        gathered = bank.gather(draw.offsets, int(length * MARGIN) + 1)
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
        waveforms = bank.gather(draw.offsets[:, :sides], length)
    generator = torch.Generator(device).manual_seed(draw.noise_seed)
    if kind == "noise":
        waveforms[:, 2] = noise_like(waveforms[:, 2], generator)
    if config.equaliser_db or config.low_pass or kind == "transpose":
        flat = equalise(waveforms.flatten(0, 1), bells.flatten(0, 1), cutoffs.flatten(0, 1), SAMPLE_RATE)
        waveforms = flat.unflatten(0, waveforms.shape[:2])
    if config.levels == "random":
        power = waveforms.square().mean(-1).clamp(min=1e-12)
        waveforms = waveforms * (10 ** (levels / 20) / power.sqrt()).unsqueeze(-1)
    waveforms += noises.unsqueeze(-1) * torch.randn(waveforms.shape, device=device, generator=generator)
    return waveforms, (draw.offsets[:, 2, 0] != NO_STEM).to(device)
