"""What is in a mix besides a part that is known."""

import numpy as np
from numpy.typing import NDArray

FRAME_SECONDS = 0.064
FLOOR = 1e-20


def remove_part(mix: NDArray[np.float32], part: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Return a mix without a part of it.

    As much of the part as is in the mix sample by sample (least squares, at most all of it) is subtracted as samples. A
    system that edits a mix seldom keeps every sample: through a codec, phases change. So the power of the rest of the
    part is subtracted in time and frequency, in frames of 64 ms, and what is left has the phases of the mix. A part
    that is the whole mix leaves silence.

    Shape:
        (L,), (L,) -> (L,).
    """
    from scipy import signal

    mixed, known = mix.astype(np.float64), part.astype(np.float64)
    share = float(np.clip(mixed @ known / (known @ known + FLOOR), 0, 1))
    length = round(FRAME_SECONDS * sample_rate)
    (*_, left), (*_, rest) = (
        signal.stft(samples, sample_rate, nperseg=length, noverlap=3 * length // 4)
        for samples in (mixed - share * known, np.sqrt(1 - share**2) * known)
    )
    power = np.abs(left) ** 2
    gain = np.sqrt(np.maximum(power - np.abs(rest) ** 2, 0) / (power + FLOOR))
    _, alone = signal.istft(left * gain, sample_rate, nperseg=length, noverlap=3 * length // 4)
    return np.asarray(alone[: len(mix)], np.float32)
