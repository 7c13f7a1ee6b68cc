"""The example songs: what the files promise, and that `compose.py` still makes them."""

import importlib.util
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

from cocola_metric.errors import CocolaError

EXAMPLES = Path(__file__).parents[1] / "examples"
STEMS = {
    "harbour": ["bass", "drums", "keys", "melody"],
    "lantern": ["bass", "drums", "keys", "melody"],
    "foundry": ["bass", "drums", "guitar", "melody"],
    "tideline": ["bass", "drums", "guitar", "melody"],
}
LENGTH = 320_000  # 20 s
WINDOW, HOP = 80_000, 40_000  # 5 s every 2.5 s, what the metric scores
AUDIBLE = -30.0  # dB full scale, RMS of a window
HIGHEST_PEAK = -1.0  # dB full scale
MOST_BYTES = 4_000_000
ROUNDING = 2**4  # one step of 12 bits: another processor may add in another order, and round the other way

paths = pytest.mark.parametrize("path", [f"{song}/{stem}.flac" for song, stems in STEMS.items() for stem in stems])


@pytest.fixture(scope="module")
def compose() -> ModuleType:
    """The script, which is no part of the package."""
    specification = importlib.util.spec_from_file_location("compose", EXAMPLES / "compose.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def decibels(amplitude: float) -> float:
    return 20 * np.log10(amplitude)


def test_songs_and_stems():
    found = {folder.name: sorted(file.stem for file in folder.glob("*.flac")) for folder in EXAMPLES.glob("*/")}
    found.pop("__pycache__", None)
    assert found == STEMS


def test_the_files_are_small():
    assert sum(file.stat().st_size for file in EXAMPLES.rglob("*.flac")) < MOST_BYTES


@paths
def test_format(path: str):
    info = soundfile.info(EXAMPLES / path)
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (16_000, 1, "PCM_16", LENGTH)


@paths
def test_every_window_is_audible(path: str):
    samples, _ = soundfile.read(EXAMPLES / path)
    windows = [samples[start : start + WINDOW] for start in range(0, LENGTH - WINDOW + 1, HOP)]
    assert len(windows) == 7
    assert min(decibels(np.sqrt(np.square(window).mean())) for window in windows) > AUDIBLE


@pytest.mark.parametrize("song", STEMS)
def test_the_mix_does_not_clip(song: str):
    mix = sum(soundfile.read(EXAMPLES / song / f"{stem}.flac")[0] for stem in STEMS[song])
    assert decibels(np.abs(mix).max()) < HIGHEST_PEAK


def test_tempos_are_apart(compose: ModuleType):
    tempos = sorted(song()[0] for song in compose.SONGS.values())
    assert min(faster / slower for slower, faster in pairwise(tempos)) > 1.09


@pytest.mark.parametrize(
    ("bar", "expected"),
    [("x...", [(0, 1, "x")]), ("x-.o", [(0, 2, "x"), (3, 4, "o")]), ("#7- 2'-", [(0, 2, "#7"), (2, 4, "2'")])],
)
def test_a_grid(compose: ModuleType, bar: str, expected: list[tuple[float, float, str]]):
    assert list(compose.strikes([bar], beats=4)) == expected


def test_harmony(compose: ModuleType):
    chords = compose.harmony("F/C | Cm7 F7b9", 4)
    assert [(chord.start, chord.root, chord.bass) for chord in chords] == [(0, 5, 0), (4, 0, 0), (6, 5, 5)]
    assert chords[2].tones == (0, 4, 7, 10, 13)


def test_a_song_is_rendered_anew(compose: ModuleType):
    try:
        studio = compose.Studio([font.path for font in compose.find_sound_fonts([compose.FONT])])
    except CocolaError as error:
        pytest.skip(str(error))
    with studio:
        stems = compose.render("harbour", studio)
    assert sorted(stems) == STEMS["harbour"]
    for stem, samples in stems.items():
        written, _ = soundfile.read(EXAMPLES / "harbour" / f"{stem}.flac", dtype="int16")
        assert np.abs(samples.astype(int) - written).max() <= ROUNDING
