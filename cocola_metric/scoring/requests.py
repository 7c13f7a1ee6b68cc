"""The audios of one call: each opened once, however many pairs it is in, with the lengths its partners need."""

import functools
import os
from collections.abc import Hashable, Iterable

from ..addresses import Address, located
from ..audio import LENGTH_TOLERANCE, SAMPLE_RATE, Audio, AudioInput, AudioWarning, content_sha256, is_array, open_audio
from ..blame import warn_caller
from ..errors import AudioError
from .embedded import Request


class Catalogue:
    """A list of distinct audios in order of first use; an audio that cannot be opened is kept as its error."""

    def __init__(self, sample_rate: float | None) -> None:
        self.sample_rate = sample_rate
        self.audios: list[Audio | AudioError] = []
        self._numbers: dict[Hashable, int] = {}
        self._inputs: list[AudioInput] = []  # keeps tensors alive, so that their ids stay unique

    def add(self, audio: AudioInput) -> int:
        """Return the number of an audio, and open it if it is new."""
        identity = _identity(audio)
        if identity not in self._numbers:
            self._numbers[identity] = len(self.audios)
            self._inputs.append(audio)
            try:
                self.audios.append(open_audio(audio, sample_rate=self.sample_rate))
            except AudioError as error:
                self.audios.append(error)
        return self._numbers[identity]

    def requests(self, pairs: Iterable[tuple[int, int]]) -> list[Request]:
        """Return the requests for comparing all these pairs over their common part.

        Warns once, with a count, of pairs whose lengths differ by more than 0.1 s.
        """
        needed: list[set[int]] = [set() for _ in self.audios]
        differences: list[int] = []
        for left, right in pairs:
            first, second = self.audios[left], self.audios[right]
            if isinstance(first, AudioError) or isinstance(second, AudioError):
                continue
            common = min(first.length, second.length)
            needed[left].add(common)
            needed[right].add(common)
            differences.append(abs(first.length - second.length))
        uneven = sum(difference > LENGTH_TOLERANCE * SAMPLE_RATE for difference in differences)
        if uneven:
            most = max(differences) / SAMPLE_RATE
            message = f"{uneven} of {len(differences)} pairs differ in length, by up to {most:.2f} s"
            warn_caller(f"{message}; only the common part is scored", AudioWarning)
        return [
            Request(audio, frozenset(lengths), functools.partial(content_sha256, source, sample_rate=self.sample_rate))
            for audio, lengths, source in zip(self.audios, needed, self._inputs, strict=True)
        ]


def _identity(audio: AudioInput) -> Hashable:
    if is_array(audio):
        return id(audio)
    if isinstance(audio, (str, os.PathLike)):
        return _absolute(audio)
    if isinstance(audio, (list, tuple)) and all(isinstance(path, (str, os.PathLike)) for path in audio):
        return tuple(map(_absolute, audio))
    return id(audio)


def _absolute(path: str | os.PathLike[str]) -> Hashable:
    place = located(path)
    return place if isinstance(place, Address) else place.absolute()
