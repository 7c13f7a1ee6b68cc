"""Audio in tensors and arrays: checks, the average of channels, and the sum of stems."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..arrays import AnyArray, is_tensor, namespace, pad
from ..errors import AudioError
from .limits import check_channels, checked_rate, not_finite

if TYPE_CHECKING:
    from torch import Tensor
    from typing_extensions import TypeIs

    ArrayInput: TypeAlias = Tensor | np.ndarray[Any, Any]
else:
    ArrayInput = np.ndarray


def is_array(audio: object) -> "TypeIs[ArrayInput]":
    """Tell whether audio is a tensor or an array, and not a path."""
    return isinstance(audio, np.ndarray) or is_tensor(audio)


def to_mono(waveform: AnyArray) -> AnyArray:
    """Average the channels.

    Shape:
        (C, L) or (L,) -> (L,).

    Raises:
        AudioError: the waveform has more than two dimensions, or more than 64 channels.
    """
    if waveform.ndim == 1:
        return waveform
    name = array_name(waveform)
    if waveform.ndim != 2:
        raise AudioError(
            f"{name} has {waveform.ndim} dimensions, not 1 or 2; pass (channels, time), one piece of music at a time"
        )
    check_channels(waveform.shape[0], name)
    return waveform[0] if len(waveform) == 1 else waveform.mean(0)


def mix_stems(stems: Sequence[AnyArray]) -> AnyArray:
    """Sum stems into a sub-mix (Eq. 1), after padding the shorter ones with zeros at the end.

    Shape:
        N times (L_n,) at one rate -> (L,), L the length of the longest stem.
    """
    length = max(len(stem) for stem in stems)
    return namespace(stems[0]).stack([pad(stem, 0, length - len(stem)) for stem in stems]).sum(0)


def checked_mono(audio: ArrayInput, sample_rate: float | None) -> tuple[AnyArray, int]:
    """Check a tensor or an array, and return the mean of its channels as float32 `(L,)` and its rate in Hz.

    Raises:
        AudioError: it cannot be scored.
    """
    name = array_name(audio)
    if sample_rate is None:
        raise AudioError(f"{name} comes without its rate; pass sample_rate=, in Hz")
    rate = checked_rate(sample_rate, name)
    floating = audio.is_floating_point() if is_tensor(audio) else np.issubdtype(audio.dtype, np.floating)
    if not floating:
        raise AudioError(
            f"{name} must be floating point in -1..1; got {audio.dtype}; convert it (int16: divide by 32768)"
        )
    if 0 in audio.shape:
        raise AudioError(f"{name} holds no samples; pass (channels, time) with at least one of each")
    single = np.asarray(audio, dtype=np.float32) if isinstance(audio, np.ndarray) else audio.float()
    mono = to_mono(single)
    if not namespace(mono).isfinite(mono).all():
        raise not_finite(name)
    return mono, rate


def array_name(audio: ArrayInput) -> str:
    """Return the name of a tensor or an array in messages."""
    return f"{'tensor' if is_tensor(audio) else 'array'} {tuple(audio.shape)}"
