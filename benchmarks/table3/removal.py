"""What is in a mix besides a part that is known: the part's power is taken from the mix's, in time and frequency."""

import numpy as np
from numpy.typing import NDArray

FRAME_SECONDS = 0.064
FLOOR = 1e-20


def remove_part(mix: NDArray[np.float32], part: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Return a mix without a part of it (spectral subtraction).

    A system that edits a mix seldom keeps every sample of it: through a codec, phases change. Subtracting samples would
    leave such a part in the mix twice. So powers are subtracted, in frames of 64 ms; what is left has the phases of the
    mix. A part that is the whole mix leaves silence.

    Shape:
        (L,), (L,) -> (L,).
    """
    from scipy import signal

    length = round(FRAME_SECONDS * sample_rate)
    (*_, mixed), (*_, known) = (
        signal.stft(samples.astype(np.float64), sample_rate, nperseg=length, noverlap=3 * length // 4)
        for samples in (mix, part)
    )
    power = np.abs(mixed) ** 2
    left = np.maximum(power - np.abs(known) ** 2, 0)
    _, alone = signal.istft(
        mixed * np.sqrt(left / (power + FLOOR)), sample_rate, nperseg=length, noverlap=3 * length // 4
    )
    return np.asarray(alone[: len(mix)], np.float32)
