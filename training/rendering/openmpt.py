"""Tracker modules played one voice at a time, through libopenmpt."""

import ctypes
import ctypes.util
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.errors import MissingExtraError

from .notation import ScoreError
from .studio import AUDIBLE_LEVEL, Stems

# The filters of libopenmpt cut off wide: at 16 kHz what they leave would fold back into the audible band.
PLAYING_RATE = 32_000
OVERSAMPLING = PLAYING_RATE // SAMPLE_RATE

_SetMute = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int)


class _Interactive(ctypes.Structure):
    """The interface "interactive" of libopenmpt_ext.h: a table of functions; two of them are called here."""

    _fields_ = (
        ("before", ctypes.c_void_p * 10),
        ("set_channel_mute_status", _SetMute),
        ("get_channel_mute_status", ctypes.c_void_p),
        ("set_instrument_mute_status", _SetMute),
        ("after", ctypes.c_void_p * 3),
    )


class Voices(StrEnum):
    """The voices of a module: instruments (samples in formats without instruments), or channels."""

    INSTRUMENT = "instrument"
    CHANNEL = "channel"


@cache
def load_library() -> ctypes.CDLL:
    """Load libopenmpt and declare the functions used here.

    Raises:
        MissingExtraError: the library is not installed.
    """
    try:
        library = ctypes.CDLL(ctypes.util.find_library("openmpt") or "libopenmpt.so.0")
    except OSError as error:
        raise MissingExtraError("playing tracker modules needs libopenmpt; apt-get install libopenmpt0") from error
    handle, number, size, real = ctypes.c_void_p, ctypes.c_int32, ctypes.c_size_t, ctypes.c_double
    signatures: dict[str, tuple[type | None, list[type]]] = {
        "openmpt_module_ext_create_from_memory": (handle, [handle, size, *[handle] * 7]),
        "openmpt_module_ext_destroy": (None, [handle]),
        "openmpt_module_ext_get_module": (handle, [handle]),
        "openmpt_module_ext_get_interface": (ctypes.c_int, [handle, ctypes.c_char_p, handle, size]),
        "openmpt_module_get_duration_seconds": (real, [handle]),
        "openmpt_module_set_position_seconds": (real, [handle, real]),
        "openmpt_module_get_num_channels": (number, [handle]),
        "openmpt_module_get_num_instruments": (number, [handle]),
        "openmpt_module_get_num_samples": (number, [handle]),
        "openmpt_module_read_float_mono": (size, [handle, number, size, handle]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Module:
    """A tracker module (XM, IT, S3M, MOD and others).

    Args:
        path: file of the module.

    Attributes:
        duration: time in seconds until the module ends or repeats.

    Raises:
        MissingExtraError: libopenmpt is not installed.
        ScoreError: the file is missing or is no module.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._library = load_library()
        try:
            self._content = path.read_bytes()
        except OSError as error:
            raise ScoreError(f"{path}: cannot be read ({error}); copy it again") from error
        with self._new_player() as player:
            music = self._library.openmpt_module_ext_get_module(player)
            self.duration: float = self._library.openmpt_module_get_duration_seconds(music)
            self._counts: dict[Voices, int] = {
                Voices.CHANNEL: self._library.openmpt_module_get_num_channels(music),
                Voices.INSTRUMENT: self._library.openmpt_module_get_num_instruments(music)
                or self._library.openmpt_module_get_num_samples(music),
            }

    def play(self, start: float, duration: float) -> NDArray[np.float32]:
        """Play an excerpt, in seconds; it begins at the first row at or after `start`.

        Shape:
            -> (L,), L = round(duration * 16000); silent after the end of the module.
        """
        with self._new_player() as player:
            return _halve_rate(self._read(player, start, duration))

    def solo(self, voices: Voices, start: float, duration: float) -> Stems:
        """Play the excerpt of `play` once for each voice with all others muted; silent voices are left out."""
        stems: Stems = {}
        for number in range(self._counts[voices]):
            # A player of its own for each stem: one that has played before seeks to another state, and the stems of
            # some modules would no longer start together.
            with self._new_player() as player:
                self._mute_others(player, voices, number)
                played = self._read(player, start, duration)
            if np.abs(played).max(initial=0.0) > AUDIBLE_LEVEL:
                stems[f"{voices}-{number + 1:02d}"] = _halve_rate(played)
        return stems

    @contextmanager
    def _new_player(self) -> Iterator[int]:
        player: int | None = self._library.openmpt_module_ext_create_from_memory(
            self._content, len(self._content), None, None, None, None, None, None, None
        )
        if not player:
            raise ScoreError(f"{self._path}: not a tracker module that libopenmpt can read; remove it or copy it again")
        try:
            yield player
        finally:
            self._library.openmpt_module_ext_destroy(player)

    def _mute_others(self, player: int, voices: Voices, soloist: int) -> None:
        table = _Interactive()
        if not self._library.openmpt_module_ext_get_interface(
            player, b"interactive", ctypes.byref(table), ctypes.sizeof(table)
        ):
            raise MissingExtraError("this libopenmpt has no interface `interactive`; install version 0.5 or later")
        mute = table.set_channel_mute_status if voices is Voices.CHANNEL else table.set_instrument_mute_status
        for number in range(self._counts[voices]):
            mute(player, number, int(number != soloist))

    def _read(self, player: int, start: float, duration: float) -> NDArray[np.float32]:
        music = self._library.openmpt_module_ext_get_module(player)
        self._library.openmpt_module_set_position_seconds(music, start)
        played = np.zeros(round(duration * SAMPLE_RATE) * OVERSAMPLING, np.float32)
        # The library ends a read early only where the music ends.
        self._library.openmpt_module_read_float_mono(music, PLAYING_RATE, len(played), played.ctypes.data)
        return played


def _halve_rate(played: NDArray[np.float32]) -> NDArray[np.float32]:
    halved: NDArray[np.float32] = resample_poly(played, 1, OVERSAMPLING).astype(np.float32)
    return halved
