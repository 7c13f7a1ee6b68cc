"""How well stems are separated: the improvement of the SI-SDR over the mixture itself."""

import numpy as np
from numpy.typing import NDArray

from cocola_metric.dispatch import require

Samples = NDArray[np.float32]


def si_sdr_improvements(stems: Samples, truth: Samples, mixture: Samples) -> list[float]:
    """Return by how much each stem is nearer to the real one than the mixture is, in dB (SI-SDRi).

    It is the measure by which MSDM reports separation: the scale-invariant signal-to-distortion ratio of the stem,
    minus that of the mixture. A stem that is the mixture has 0; a silent stem has NaN, since no scale makes it louder.

    Args:
        stems: separated stems.
        truth: real stems.
        mixture: sum that was separated.

    Shape:
        (N, L), (N, L), (L,) -> N numbers.
    """
    require("torchmetrics")
    import torch
    from torchmetrics.functional.audio import scale_invariant_signal_distortion_ratio as si_sdr

    made, real, mixed = (torch.from_numpy(samples.astype(np.float64)) for samples in (stems, truth, mixture))
    gained = si_sdr(made, real) - si_sdr(mixed.expand_as(real), real)
    sounds = made.square().mean(dim=1) > 0
    return [float(one) if sounding else float("nan") for one, sounding in zip(gained, sounds, strict=True)]
