"""Reading of audio for the metric: a path, stem paths or a tensor become mono float32 samples at 16 kHz."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeAlias

import numpy as np

from ..addresses import Place, located
from ..arrays import AnyArray, namespace
from ..blame import warn_caller
from ..errors import AudioError
from .arrays import ArrayInput, array_name, checked_mono, is_array, mix_stems
from .decoding import open_file
from .limits import BLOCK_SAMPLES, LENGTH_TOLERANCE, SAMPLE_RATE, AudioWarning, resampled_length
from .resampling import resample_blocks, split_blocks

AudioPath: TypeAlias = str | os.PathLike[str]
AudioInput: TypeAlias = AudioPath | Sequence[AudioPath] | ArrayInput


@dataclass(frozen=True)
class Audio:
    """Audio whose header has passed all checks, and whose samples are not read yet.

    Attributes:
        name: name in messages: the path, or "tensor (2, 80000)".
        length: number of samples at 16 kHz.
        blocks: function that starts reading: it returns an iterator over mono float32 blocks `(L,)` at 16 kHz, with
            `length` samples in all.
    """

    name: str
    length: int
    blocks: Callable[[], Iterator[AnyArray]]

    @property
    def duration(self) -> float:
        """Duration in seconds, a whole number of samples at 16 kHz."""
        return self.length / SAMPLE_RATE


def read_audio(audio: AudioInput, *, sample_rate: float | None = None) -> AnyArray:
    """Read audio in the encoder's format: mono, float32, 16 kHz.

    Policies are those of `open_audio`. A tensor stays a tensor, in its autograd graph and on its device; every other
    input becomes a NumPy array.

    Args:
        audio: a path, the paths of stems to sum (Eq. 1), or a tensor or array `(channels, time)`.
        sample_rate: rate of the tensor or array, in Hz; ignored for files, which state their own.

    Shape:
        -> (L,), L = ceil(time * 16000 / sample_rate).

    Raises:
        AudioError: the input cannot be scored.
    """
    blocks = list(open_audio(audio, sample_rate=sample_rate).blocks())
    return namespace(blocks[0]).concatenate(blocks)


def open_audio(audio: AudioInput, *, sample_rate: float | None = None) -> Audio:
    """Check audio and find its length, without reading its samples.

    Policies:

    - A path may be an address: ``s3://``, ``gs://``, ``hf://`` (extra [remote]).
    - Formats: those of libsndfile (WAV, FLAC, OGG, MP3, AIFF), at 8 kHz to 768 kHz, with 1 to 64 channels.
    - Channels are averaged (`to_mono`); a tensor or array of one dimension is mono.
    - Tensors and arrays are floating point, with full scale at -1..1; float16 and float64 become float32. Their samples
      are never changed in place.
    - Stems are resampled, then summed. Shorter ones are padded with zeros at the end; a warning says so above 0.1 s.
    - A file that holds fewer samples than its header announces (truncated WAV, AIFF, FLAC or MP3) is an error, raised
      here or during reading. The header of an OGG file states no length, so a shortened one is read to its end.
    - NaN and infinite samples are errors. Silence is no error here; the scorer leaves silent windows out.

    Args:
        audio: a path, the paths of stems to sum (Eq. 1), or a tensor or array `(channels, time)`.
        sample_rate: rate of the tensor or array, in Hz; ignored for files, which state their own.

    Raises:
        AudioError: the input cannot be scored; the message gives the reason and the remedy.
    """
    if isinstance(audio, (str, os.PathLike)):
        return _open_path(located(audio))
    if is_array(audio):
        return _open_array(audio, sample_rate)
    if not isinstance(audio, Sequence) or not all(isinstance(path, (str, os.PathLike)) for path in audio):
        kind = type(audio).__name__
        if isinstance(audio, tuple) and len(audio) == 2 and is_array(audio[0]):
            kind = "tuple of samples and their rate"
        elif isinstance(audio, Sequence) and any(map(is_array, audio)):
            kind = f"{kind} of tensors or arrays"
        raise AudioError(
            f"a {kind} is not audio; pass a path, a list of stem paths, or one tensor (channels, time) with its rate"
        )
    if not audio:
        raise AudioError("the list of stems is empty; pass at least one path")
    return _open_stems([_open_path(located(path)) for path in audio])


def _open_path(path: Place) -> Audio:
    file = open_file(path)
    if file.doubt:
        warn_caller(file.doubt, AudioWarning)
    return Audio(
        str(path),
        resampled_length(file.frames, file.rate),
        lambda: resample_blocks(file.blocks(), file.rate),
    )


def _open_array(audio: ArrayInput, sample_rate: float | None) -> Audio:
    mono, rate = checked_mono(audio, sample_rate)
    length = resampled_length(len(mono), rate)
    return Audio(array_name(audio), length, lambda: resample_blocks(split_blocks(mono), rate))


def _open_stems(stems: Sequence[Audio]) -> Audio:
    """Join stems into one audio, their sum, and warn when their lengths differ."""
    shortest, longest = min(stems, key=lambda stem: stem.length), max(stems, key=lambda stem: stem.length)
    difference = longest.length - shortest.length
    if difference > LENGTH_TOLERANCE * SAMPLE_RATE:
        seconds = f"{difference / SAMPLE_RATE:.2f} s"
        message = f"{shortest.name} is {seconds} shorter than {longest.name}; it is padded with silence at the end"
        warn_caller(message, AudioWarning)

    def mixed_blocks() -> Iterator[AnyArray]:
        streams = [_equal_blocks(stem.blocks(), BLOCK_SAMPLES) for stem in stems]
        return map(mix_stems, zip_longest(*streams, fillvalue=np.zeros(0, np.float32)))

    return Audio(" + ".join(stem.name for stem in stems), longest.length, mixed_blocks)


def _equal_blocks(blocks: Iterable[AnyArray], size: int) -> Iterator[AnyArray]:
    """Cut blocks `(L,)` of any length into blocks of `size` samples; only the last may be shorter."""
    pending = np.zeros(0, np.float32)
    for block in blocks:
        pending = np.concatenate([pending, block])
        while len(pending) >= size:
            yield pending[:size]
            pending = pending[size:]
    if len(pending):
        yield pending
