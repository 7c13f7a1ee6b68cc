import ctypes
import dataclasses
import struct
from pathlib import Path

import numpy as np
import pytest
from native_libraries import needs_openmpt

from cocola_metric.training.rendering import openmpt
from cocola_metric.training.rendering.notation import ScoreError
from cocola_metric.training.rendering.openmpt import Module, Voices
from cocola_metric.training.rendering.recipes import tracker_modules
from cocola_metric.training.rendering.recipes.tracker_modules import PACKAGES, find_works, render
from cocola_metric.training.rendering.synth import SAMPLE_RATE
from cocola_metric.training.rendering.works import SourceAbsent, Work

ROWS = 64
SECONDS = ROWS * 6 * 0.02  # speed 6 at 125 beats a minute: ticks of 20 ms
RATE = 8287.14  # at which period 428 plays a sample (Amiga, PAL)
PERIOD = 428


def sample_header(name, length):
    return struct.pack(">22sHBBHH", name, length // 2, 0, 64, 0, length // 2)


def write_module(path, notes):
    """Write a ProTracker file of one pattern; `notes` is {(row, channel): sample}, the samples are looped tones."""
    tones = [
        np.rint(90 * np.sin(2 * np.pi * np.arange(64) * cycles / 64)).astype(np.int8).tobytes() for cycles in (2, 8)
    ]
    headers = [sample_header(b"low", 64), sample_header(b"high", 64), *[sample_header(b"", 0)] * 29]
    pattern = bytearray(ROWS * 4 * 4)
    for (row, channel), sample in notes.items():
        struct.pack_into(">HBB", pattern, (row * 4 + channel) * 4, PERIOD, sample << 4, 0)
    orders = bytes([1, 127]) + bytes(128)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join([b"test".ljust(20, b"\0"), *headers, orders, b"M.K.", pattern, *tones]))
    return path


@pytest.fixture
def duet(tmp_path):
    """Write a module in which two samples alternate on one channel; another channel doubles the first sample."""
    notes = {(row, 0): 1 + row // 4 % 2 for row in range(0, ROWS, 4)}
    return write_module(tmp_path / "duet.mod", notes | {(row, 1): 1 for row in range(0, ROWS, 8)})


def fundamental(signal):
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal))))
    return np.argmax(spectrum) * SAMPLE_RATE / len(signal)


@needs_openmpt
def test_each_instrument_is_a_stem_and_the_stems_add_up(duet):
    module = Module(duet)
    assert module.duration == pytest.approx(SECONDS, abs=0.1)
    for voices, names in (
        (Voices.INSTRUMENT, {"instrument-01", "instrument-02"}),
        (Voices.CHANNEL, {"channel-01", "channel-02"}),
    ):
        stems = module.solo(voices, 1.5, 4.0)
        assert set(stems) == names
        assert {stem.shape for stem in stems.values()} == {(4 * SAMPLE_RATE,)}
        whole = module.play(1.5, 4.0)
        # Where a channel changes its sample at once, libopenmpt smooths the click that muting hides.
        assert np.linalg.norm(sum(stems.values()) - whole) < 1e-3 * np.linalg.norm(whole)


@needs_openmpt
def test_pitch_is_right(duet):
    low, high = Module(duet).solo(Voices.INSTRUMENT, 0.0, SECONDS).values()
    assert fundamental(low) == pytest.approx(RATE * 2 / 64, rel=0.01)
    assert fundamental(high) == pytest.approx(RATE * 8 / 64, rel=0.01)


@needs_openmpt
def test_an_excerpt_starts_where_it_is_asked_to(duet):
    whole = Module(duet).solo(Voices.INSTRUMENT, 0.0, SECONDS)["instrument-02"]
    start = 16 * 6 * 0.02  # row 16: the other sample has just begun again
    excerpt = Module(duet).solo(Voices.INSTRUMENT, start, 2.0)["instrument-02"]
    frame = SAMPLE_RATE // 10
    sounding = [np.abs(signal).reshape(-1, frame).max(axis=1) > 0.01 for signal in (whole[: 7 * SAMPLE_RATE], excerpt)]
    first = round(start * 10)
    assert np.mean(sounding[0][first : first + 20] == sounding[1]) >= 0.8


@needs_openmpt
def test_silence_follows_the_end(duet):
    played = Module(duet).play(SECONDS - 1.0, 3.0)
    assert played.shape == (3 * SAMPLE_RATE,)
    assert np.abs(played[:SAMPLE_RATE]).max() > 0.01
    assert not played[2 * SAMPLE_RATE :].any()


@needs_openmpt
def test_a_track_is_decided_by_its_generator(duet):
    work = Work("duet", (duet,))
    first, again = (render(work, 3.0, None, np.random.default_rng(4)) for _ in range(2))
    other = render(work, 3.0, None, np.random.default_rng(5))
    assert sorted(first) == ["instrument-01", "instrument-02"]
    for name, stem in first.items():
        assert stem.dtype == np.float32 and stem.shape == (3 * SAMPLE_RATE,)
        np.testing.assert_array_equal(stem, again[name])
    assert not np.array_equal(first["instrument-01"], other["instrument-01"])


@needs_openmpt
def test_a_track_is_no_longer_than_its_module(duet):
    stems = render(Work("duet", (duet,)), 60.0, None, np.random.default_rng(0))
    for stem in stems.values():
        assert len(stem) / SAMPLE_RATE == pytest.approx(SECONDS, abs=0.1)


@needs_openmpt
def test_channels_stand_in_for_a_single_instrument(tmp_path):
    path = write_module(tmp_path / "solo.mod", {(row, row // 8 % 2): 1 for row in range(0, ROWS, 8)})
    stems = render(Work("solo", (path,)), 3.0, None, np.random.default_rng(0))
    assert sorted(stems) == ["channel-01", "channel-02"]


@needs_openmpt
@pytest.mark.parametrize("fault", ["lone", "apart"])
def test_a_module_that_does_not_come_apart_is_refused(tmp_path, monkeypatch, duet, fault):
    if fault == "lone":
        duet = write_module(tmp_path / "lone.mod", {(row, 0): 1 for row in range(0, ROWS, 8)})
    else:
        monkeypatch.setattr(Module, "play", lambda self, start, duration: np.ones(round(duration * SAMPLE_RATE)))
    with pytest.raises(ScoreError, match=rf"{duet.name}.*add up"):
        render(Work("work", (duet,)), 2.0, None, np.random.default_rng(0))


@needs_openmpt
def test_damaged_and_missing_files_are_named(tmp_path):
    (tmp_path / "broken.xm").write_bytes(b"Extended Module: nothing follows")
    with pytest.raises(ScoreError, match=r"broken\.xm.*not a tracker module"):
        Module(tmp_path / "broken.xm")
    with pytest.raises(ScoreError, match=r"absent\.it.*cannot be read"):
        Module(tmp_path / "absent.it")


@needs_openmpt
def test_works_are_named_after_their_package(tmp_path, monkeypatch):
    monkeypatch.setattr(tracker_modules, "PACKAGES", ())
    folder = tmp_path / "scores" / "modules"
    write_module(folder / "Loose Tune.MOD", {(0, 0): 1})
    write_module(folder / "game" / "usr" / "share" / "theme.mod", {(0, 0): 2})
    write_module(folder / "sequel" / "copy.mod", {(0, 0): 2})  # the same bytes: a tune in two splits otherwise
    write_module(folder / "tecnoballz-data" / "area1-game.mod", {(1, 0): 1})
    write_module(folder / "tecnoballz-data" / "area1-game2.mod", {(2, 0): 1})
    (folder / "game" / "README.txt").touch()
    assert {work.name: len(work.paths) for work in find_works(tmp_path)} == {
        "game-theme": 1,
        "loose-tune": 1,
        "tecnoballz-data-area1-game": 2,
    }


@needs_openmpt
def test_installed_packages_are_found(tmp_path, monkeypatch):
    installed = write_module(tmp_path / "installed" / "theme.mod", {(0, 0): 1})
    monkeypatch.setattr(
        tracker_modules, "PACKAGES", (tracker_modules.Package("game", installed.parent, "GPL", "1", ""),)
    )
    assert find_works(tmp_path) == [Work("game-theme", (installed,))]


@needs_openmpt
def test_absent_modules_name_their_packages(tmp_path, monkeypatch):
    absent = tuple(dataclasses.replace(package, folder=tmp_path / package.name) for package in PACKAGES)
    monkeypatch.setattr(tracker_modules, "PACKAGES", absent)
    with pytest.raises(SourceAbsent, match=r"scores/modules; run there `apt-get download .*pingus-data"):
        find_works(tmp_path)


def test_a_missing_library_names_its_package(tmp_path, monkeypatch):
    def refuse(name):
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    openmpt.load_library.cache_clear()
    with pytest.raises(SourceAbsent, match="libopenmpt0"):
        find_works(tmp_path)


def test_every_package_has_a_licence():
    assert {licence.split("-")[0] for licence in tracker_modules.LICENCES.values()} == {"GPL"}
    assert len(tracker_modules.LICENCES) == len({package.folder for package in PACKAGES}) == 9
    assert all(isinstance(package.folder, Path) for package in PACKAGES)
