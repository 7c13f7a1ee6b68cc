"""SoundFont synthesis: every part of a piece on its own dry bus, all in one pass of libfluidsynth."""

import ctypes
import ctypes.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.errors import CocolaError, MissingExtraError

from .notation import Part

# FluidSynth transposes samples without an anti-aliasing filter: at 16 kHz cymbals fold back into the audible band.
SYNTHESIS_RATE = 32_000
BUSES = 16
BLOCK = 64  # FluidSynth's own block: events are heard at its borders only (2 ms at 32 kHz)
DRUM_BANK = 128
FOURTH_ORDER_INTERPOLATION = 4
LOG_LEVELS = range(5)
SHORTEST_NOTE = 0.02


@dataclass(frozen=True)
class SoundFont:
    """A SoundFont that a Debian package installs, with the licence of its sounds."""

    path: Path
    licence: str


SOUND_FONTS = (
    SoundFont(Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"), "MIT (apt fluid-soundfont-gm)"),
    SoundFont(Path("/usr/share/sounds/sf3/MuseScore_General_Lite.sf3"), "MIT (apt musescore-general-soundfont-small)"),
    SoundFont(Path("/usr/share/sounds/sf2/TimGM6mb.sf2"), "GPL-2 (apt timgm6mb-soundfont)"),
)


def find_sound_fonts(candidates: Sequence[SoundFont] = SOUND_FONTS) -> tuple[SoundFont, ...]:
    """Return the installed SoundFonts.

    Raises:
        CocolaError: none of the candidates is installed.
    """
    found = tuple(font for font in candidates if font.path.is_file())
    if not found:
        wanted = ", ".join(f"{font.path} [{font.licence}]" for font in candidates)
        raise CocolaError(f"no SoundFont found; install at least one of {wanted}")
    return found


@cache
def load_library() -> ctypes.CDLL:
    """Load libfluidsynth and declare the functions used here.

    Raises:
        MissingExtraError: the library is not installed.
    """
    try:
        library = ctypes.CDLL(ctypes.util.find_library("fluidsynth") or "libfluidsynth.so.3")
    except OSError as error:
        raise MissingExtraError("rendering needs libfluidsynth; apt-get install libfluidsynth3") from error
    handle, integer, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    buffers = ctypes.POINTER(ctypes.c_void_p)
    signatures: dict[str, tuple[type | None, list[type]]] = {
        "new_fluid_settings": (handle, []),
        "new_fluid_synth": (handle, [handle]),
        "delete_fluid_synth": (None, [handle]),
        "delete_fluid_settings": (None, [handle]),
        "fluid_settings_setnum": (integer, [handle, text, ctypes.c_double]),
        "fluid_settings_setint": (integer, [handle, text, integer]),
        "fluid_set_log_function": (handle, [integer, handle, handle]),
        "fluid_synth_set_interp_method": (integer, [handle, integer, integer]),
        "fluid_synth_sfload": (integer, [handle, text, integer]),
        "fluid_synth_get_sfont_by_id": (handle, [handle, integer]),
        "fluid_synth_add_sfont": (integer, [handle, handle]),
        "fluid_synth_remove_sfont": (integer, [handle, handle]),
        "fluid_synth_set_channel_type": (integer, [handle, integer, integer]),
        "fluid_synth_program_select": (integer, [handle, integer, integer, integer, integer]),
        "fluid_synth_noteon": (integer, [handle, integer, integer, integer]),
        "fluid_synth_noteoff": (integer, [handle, integer, integer]),
        "fluid_synth_cc": (integer, [handle, integer, integer, integer]),
        "fluid_synth_pitch_bend": (integer, [handle, integer, integer]),
        "fluid_synth_process": (integer, [handle, integer, integer, buffers, integer, buffers]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


@dataclass(frozen=True, slots=True)
class _Event:
    """One call of the library; events of one time are played in the order of `rank`: changes, releases, strikes."""

    time: float
    rank: int
    function: str
    arguments: tuple[int, ...]


class Synthesizer:
    """A FluidSynth with its fonts loaded, as a context manager.

    Its cost does not grow with the number of stems: one pass fills one bus for each part, without reverb and chorus.

    Args:
        fonts: SoundFont files; `Part.font` is an index into them.
        gain: gain of every bus.

    Raises:
        MissingExtraError: libfluidsynth is not installed.
        CocolaError: a font cannot be loaded.
    """

    def __init__(self, fonts: Sequence[Path], *, gain: float = 0.5) -> None:
        self._library = load_library()
        for level in LOG_LEVELS:
            self._library.fluid_set_log_function(level, None, None)
        self._settings = self._library.new_fluid_settings()
        for name, number in (("synth.sample-rate", float(SYNTHESIS_RATE)), ("synth.gain", gain)):
            self._library.fluid_settings_setnum(self._settings, name.encode(), number)
        switches = {"polyphony": 512, "midi-channels": BUSES, "audio-channels": BUSES, "audio-groups": BUSES}
        for name, value in (switches | {"reverb.active": 0, "chorus.active": 0}).items():
            self._library.fluid_settings_setint(self._settings, f"synth.{name}".encode(), value)
        self._holder = self._library.new_fluid_synth(self._settings)
        self._fonts = [self._load_font(path) for path in fonts]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the fonts; the synthesizer cannot be used afterwards."""
        if self._holder is not None:
            self._library.delete_fluid_synth(self._holder)
            self._library.delete_fluid_settings(self._settings)
            self._holder = None

    def render(self, parts: Sequence[Part], duration: float) -> NDArray[np.float32]:
        """Play parts (times in seconds) from time 0 and return one dry mono signal per part at 16 kHz.

        Shape:
            N parts -> (N, L), L = round(duration * 16000).
        """
        length = round(duration * SAMPLE_RATE)
        batches = [self._render_batch(parts[first : first + BUSES], length) for first in range(0, len(parts), BUSES)]
        return np.concatenate(batches) if batches else np.zeros((0, length), np.float32)

    def _load_font(self, path: Path) -> int:
        identifier: int = self._library.fluid_synth_sfload(self._holder, str(path).encode(), 0)
        if identifier < 0:
            raise CocolaError(f"{path}: not a SoundFont that libfluidsynth can load; install it again")
        font: int = self._library.fluid_synth_get_sfont_by_id(self._holder, identifier)
        return font

    @contextmanager
    def _new_player(self) -> Iterator[tuple[int, list[int]]]:
        """Yield a new synth that shares the loaded fonts, and the numbers of its fonts.

        A used synth is not silent even after a reset: voices of the last piece sound into the next one, which
        would make a track depend on the track before it.
        """
        player: int = self._library.new_fluid_synth(self._settings)
        try:
            self._library.fluid_synth_set_interp_method(player, -1, FOURTH_ORDER_INTERPOLATION)
            yield player, [self._library.fluid_synth_add_sfont(player, font) for font in self._fonts]
        finally:
            for font in self._fonts:
                self._library.fluid_synth_remove_sfont(player, font)
            self._library.delete_fluid_synth(player)

    def _render_batch(self, parts: Sequence[Part], length: int) -> NDArray[np.float32]:
        oversampling = SYNTHESIS_RATE // SAMPLE_RATE
        needed = length * oversampling
        buses = np.zeros((2 * BUSES, needed + -needed % BLOCK), np.float32)  # left and right of each bus
        with self._new_player() as (player, fonts):
            for channel, part in enumerate(parts):
                self._select_program(player, channel, part, fonts[part.font])
            self._play(player, sorted(_events(parts), key=lambda event: (event.time, event.rank)), buses)
        mono = 0.5 * (buses[0 : 2 * len(parts) : 2] + buses[1 : 2 * len(parts) : 2])[:, :needed]
        # scipy's polyphase filter takes a tenth of the time of the synthesis, and spares the workers importing torch.
        halved: NDArray[np.float32] = resample_poly(mono, 1, oversampling, axis=1).astype(np.float32)
        return halved

    def _select_program(self, player: int, channel: int, part: Part, font: int) -> None:
        bank = DRUM_BANK if part.is_drum else 0
        self._library.fluid_synth_set_channel_type(player, channel, int(part.is_drum))
        if self._library.fluid_synth_program_select(player, channel, font, bank, part.program) != 0:
            self._library.fluid_synth_program_select(player, channel, font, bank, 0)  # a kit the font lacks: kit 0

    def _play(self, player: int, events: Sequence[_Event], buses: NDArray[np.float32]) -> None:
        """Fill the buses, and send each event to the player at its time."""
        length, position = buses.shape[1], 0
        for event in events:
            target = int(event.time * SYNTHESIS_RATE) // BLOCK * BLOCK
            if target >= length:
                break
            self._advance(player, buses, position, target)
            position = target
            getattr(self._library, event.function)(player, *event.arguments)
        self._advance(player, buses, position, length)

    def _advance(self, player: int, buses: NDArray[np.float32], position: int, target: int) -> None:
        if target == position:
            return
        rows = np.arange(len(buses)) * buses.strides[0] + buses.ctypes.data + position * buses.itemsize
        addresses = rows.astype(np.uintp).ctypes.data_as(ctypes.POINTER(ctypes.c_void_p))
        self._library.fluid_synth_process(player, target - position, 0, None, len(buses), addresses)


def _events(parts: Sequence[Part]) -> list[_Event]:
    events: list[_Event] = []
    for channel, part in enumerate(parts):
        for change in part.controllers:
            events.append(_Event(change.time, 0, "fluid_synth_cc", (channel, change.number, change.value)))
        for bend in part.bends:
            events.append(_Event(bend.time, 0, "fluid_synth_pitch_bend", (channel, bend.value + 8192)))
        for note in part.notes:
            release = max(note.end, note.start + SHORTEST_NOTE)
            events.append(_Event(release, 1, "fluid_synth_noteoff", (channel, note.pitch)))
            events.append(_Event(note.start, 2, "fluid_synth_noteon", (channel, note.pitch, note.velocity)))
    return events
