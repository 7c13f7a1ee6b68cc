"""What is packed for a machine without a network: smaller, and to the recipes the same."""

import contextlib
import importlib.metadata
import importlib.util
import json
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from native_libraries import needs_fluidsynth
from tiny_scores import musicxml_note, write_mxl

from cocola_metric.training.rendering.drumkits import Drumkit, find_drumkits
from cocola_metric.training.rendering.notation import Note, Part, read_musicxml
from cocola_metric.training.rendering.recipes import projects
from cocola_metric.training.rendering.synth import SAMPLE_RATE, Synthesizer
from cocola_metric.training.rendering.works import split_of

RATE, PERIOD = 44_100, 101  # an odd number of frames: half of it is none
TEST_WORK, TRAIN_WORK = "dirtylove", "crunk-demo"


@pytest.fixture(scope="module")
def compact():
    path = Path(__file__).parents[2] / "training" / "offline" / "compact.py"
    sys.path.insert(0, str(path.parent))  # as for a script
    specification = importlib.util.spec_from_file_location("compact", path)
    module = importlib.util.module_from_spec(specification)
    sys.modules["compact"] = module  # its dataclasses ask for it
    specification.loader.exec_module(module)
    yield module
    sys.path.remove(str(path.parent))
    del sys.modules["compact"], sys.modules["compact_scores"]


def tone(seconds, frequency=440.0, rate=SAMPLE_RATE):
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def fundamental(signal):
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal)), 1 << 19))
    return np.argmax(spectrum) * SAMPLE_RATE / (1 << 19)


# --- SoundFonts ---------------------------------------------------------------------------------------------------


def write_font(shift=0):
    """Return a font of one looped sine that sounds as its own pitch at MIDI 69; its zone shifts the loop's end."""
    frames = np.round(16_000 * np.sin(2 * np.pi * np.arange(41 * PERIOD) / PERIOD)).astype("<i2")
    loop = (40 * PERIOD - 8 - 10 * PERIOD, 40 * PERIOD - 8)

    def chunk(name, content):
        return struct.pack("<4sI", name, len(content)) + content + bytes(len(content) % 2)

    def record(layout, *rows):
        return b"".join(struct.pack(layout, *row) for row in rows)

    sample = (b"sine", 0, len(frames), *loop, RATE, 69, 0, 0, 1)
    end = (b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0)
    lists = (
        (
            b"INFO",
            chunk(b"ifil", struct.pack("<HH", 2, 1)) + chunk(b"isng", b"EMU8000\0") + chunk(b"INAM", b"tiny\0\0"),
        ),
        (b"sdta", chunk(b"smpl", frames.tobytes() + bytes(92))),
        (
            b"pdta",
            chunk(b"phdr", record("<20sHHHIII", (b"tiny", 0, 0, 0, 0, 0, 0), (b"EOP", 0, 0, 1, 0, 0, 0)))
            + chunk(b"pbag", record("<HH", (0, 0), (1, 0)))
            + chunk(b"pmod", bytes(10))
            + chunk(b"pgen", record("<Hh", (41, 0), (0, 0)))
            + chunk(b"inst", record("<20sH", (b"tiny", 0), (b"EOI", 1)))
            + chunk(b"ibag", record("<HH", (0, 0), (3, 0)))
            + chunk(b"imod", bytes(10))
            + chunk(b"igen", record("<Hh", (54, 1), (3, shift), (53, 0), (0, 0)))
            + chunk(b"shdr", record("<20sIIIIIBbHH", sample, end)),
        ),
    )
    content = b"sfbk" + b"".join(chunk(b"LIST", name + body) for name, body in lists)
    return chunk(b"RIFF", content)


def read_sample(compact, font):
    chunks = dict(compact._read_chunks(font))
    return compact.Sample(*next(compact.Sample.LAYOUT.iter_unpack(chunks[b"shdr"]))), chunks


def test_a_loop_stays_a_whole_number_of_frames(compact):
    font = write_font()
    small = compact.compacted_font(font, 0.5, 22_050)
    sample, chunks = read_sample(compact, small)
    period = sample.loop_end - sample.loop_start
    assert period == 505  # ten periods of 101 frames, at half the rate
    assert sample.rate == 22_050
    assert chunks[b"smpl"][sample.start : sample.start + 4] == b"OggS"
    assert struct.unpack("<HH", chunks[b"ifil"]) == (3, 1)
    assert sample.kind == 1 | compact.VORBIS
    untouched = {name: content for name, content in chunks.items() if name not in (b"ifil", b"smpl", b"shdr")}
    assert untouched.items() <= dict(compact._read_chunks(font)).items()


def test_a_short_loop_moves_the_rate_and_not_the_pitch(compact):
    sample = compact.Sample(b"", 0, 0, 0, 33, RATE, 60, 0, 0, 1)
    smaller, frames = compact._resample(sample, np.zeros(40, np.float32), 22_050)
    assert smaller.loop_end - smaller.loop_start == 17
    assert smaller.rate / 17 == pytest.approx(RATE / 33, rel=1e-4)
    assert len(frames) > smaller.loop_end


def test_a_sample_shifted_by_its_zone_keeps_its_rate(compact):
    sample, _ = read_sample(compact, compact.compacted_font(write_font(shift=1), 0.5, 22_050))
    assert (sample.rate, sample.loop_end - sample.loop_start) == (RATE, 10 * PERIOD)


def test_a_compacted_font_gets_no_larger(compact):
    once = compact.compacted_font(write_font(), 0.2, 22_050)
    assert len(compact.compacted_font(once, 0.2, 22_050)) <= len(once)


@needs_fluidsynth
def test_a_compacted_font_sounds_alike(compact, tmp_path):
    signals = []
    for name, font in (("large", write_font()), ("small", compact.compacted_font(write_font(), 0.5, 22_050))):
        path = tmp_path / f"{name}.sf2"
        path.write_bytes(font)
        with Synthesizer([path]) as synthesizer:
            signals.append(synthesizer.render([Part("tone", (Note(0.0, 1.0, 69, 100),))], 1.0)[0, 1600:])
    assert fundamental(signals[0]) == pytest.approx(RATE / PERIOD, abs=0.1)
    assert fundamental(signals[1]) == pytest.approx(fundamental(signals[0]), abs=0.1)
    assert np.corrcoef(*signals)[0, 1] > 0.99
    assert np.linalg.norm(signals[1]) == pytest.approx(np.linalg.norm(signals[0]), rel=0.05)


# --- drum kits, stems and scores ----------------------------------------------------------------------------------


def write_kit(folder, names):
    folder.mkdir(parents=True)
    instruments = ""
    for name in names:
        hit = np.concatenate([tone(0.1, rate=RATE), np.zeros(RATE, np.float32)])
        soundfile.write(folder / f"{name}.wav", np.stack([hit, hit], axis=1), RATE)
        instruments += f"<instrument><name>{name}</name><filename>{name}.wav</filename></instrument>"
    (folder / "drumkit.xml").write_text(f"<drumkit_info>{instruments}</drumkit_info>")


def test_of_a_kit_the_hits_that_are_played_remain(compact, tmp_path):
    write_kit(tmp_path / "whole", ["Kick", "Snare", "Closed Hat", "Whistle"])
    write_kit(tmp_path / "hands", ["Clap", "Kick"])
    (before,) = find_drumkits(tmp_path)
    hits = {key: layers[0].samples for key, layers in before.pieces.items()}
    compact.compact_drumkits(tmp_path)
    (after,) = find_drumkits(tmp_path)
    assert after.folder == before.folder
    assert [path.name for path in (tmp_path / "hands").iterdir()] == ["drumkit.xml"]
    assert sorted(path.name for path in after.folder.glob("*.wav")) == ["Closed Hat.wav", "Kick.wav", "Snare.wav"]
    assert isinstance(after, Drumkit) and after.pieces.keys() == hits.keys()
    for key, hit in hits.items():
        samples = after.pieces[key][0].samples
        assert len(samples) == pytest.approx(1600, abs=100)  # without the silence behind it
        assert np.corrcoef(samples, hit[: len(samples)])[0, 1] > 0.98


def test_of_a_project_the_fullest_seconds_remain(compact, tmp_path, monkeypatch):
    monkeypatch.setattr(compact, "LONGEST_PROJECT", 2)
    assert (split_of("projects", TEST_WORK), split_of("projects", TRAIN_WORK)) == ("test", "train")
    silence = np.zeros(4 * SAMPLE_RATE, np.float32)
    late = np.concatenate([silence, tone(2, 220)])
    for project in (TEST_WORK, TRAIN_WORK):
        (tmp_path / "stems" / "desk" / project).mkdir(parents=True)
        for name, stem in (("long", tone(8)), ("late", late), ("silent", silence), ("early", tone(1))):
            soundfile.write(tmp_path / "stems" / "desk" / project / f"{name}.ogg", stem, SAMPLE_RATE, format="OGG")
    names = [work.name for work in projects.find_works(tmp_path)]
    compact.compact_stems(tmp_path / "stems" / "desk")
    works = projects.find_works(tmp_path)
    assert [work.name for work in works] == names == [TRAIN_WORK, TEST_WORK]
    assert [path.name for path in works[1].paths[0].iterdir()] == ["left-out.ogg"]
    stems = {path.stem: soundfile.read(path)[0] for path in works[0].paths[0].iterdir()}
    assert {name: len(stem) for name, stem in stems.items()} == {"long": 2 * SAMPLE_RATE, "late": 2 * SAMPLE_RATE}
    assert fundamental(stems["late"]) == pytest.approx(220, abs=1)


def test_a_score_reads_as_before(compact, tmp_path):
    layout = "<type>quarter</type><stem>up</stem><lyric><text>la</text></lyric>"
    tied = musicxml_note("F", 4, 2, '<tie type="start"/>' + layout) + musicxml_note("F", 4, 2, '<tie type="stop"/>')
    measure = tied + "<backup><duration>2</duration></backup>" + musicxml_note("A", 3, 1, layout) + "<print/>"
    path = write_mxl(tmp_path / "score.mxl", [[measure] * 20, [measure] * 20])
    parts = read_musicxml(path)
    compact.compact_score(path)
    assert read_musicxml(path) == parts
    with zipfile.ZipFile(path) as archive:
        assert b"stem" not in archive.read("score.xml")


def test_the_report_counts_what_there_is(compact, tmp_path, capsys):
    write_kit(tmp_path / "usr/share/hydrogen/data/drumkits/kit", ["Kick", "Snare", "Closed Hat"])
    assert compact.main([str(tmp_path), str(tmp_path / "sources")]) == 0
    assert list(json.loads(capsys.readouterr().out)) == ["drum kits"]


# --- libraries ----------------------------------------------------------------------------------------------------


def test_the_bundle_brings_every_library_that_training_imports() -> None:
    """All but those that `pack.sh` expects on the other machine, and what these need themselves."""
    script = (Path(__file__).parents[2] / "training" / "offline" / "pack.sh").read_text()
    packed = re.search(r'--target "\$home/site" \\\n *([\w ]+)\n', script)[1].split()
    expected = re.search(r"with\n# Python 3.12, ([\w, ]+), as root", script)[1].replace(" and ", ", ").split(", ")
    modules = ("rendering.render", "encoder.train", "msdm.train", "componet.learning.small")
    program = f"import sys\nfor name in {modules}: __import__(f'cocola_metric.training.{{name}}')\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    distributions = importlib.metadata.packages_distributions()
    names = {module.partition(".")[0] for module in loaded} - {"backports", "google"}  # shared by many distributions
    names -= {"dill", "brotli", "_brotli"}  # torch and urllib3 import them where they are installed
    names -= {"boto3", "botocore", "s3transfer", "jmespath", "dateutil"}  # accelerate does
    imported = {_plain(distribution) for name in names for distribution in distributions.get(name, ())}
    assert imported - _with_needs([*packed, *expected]) <= {"cocola-metric"}


def _with_needs(names: list[str]) -> set[str]:
    """Return distributions with all that they require themselves."""
    found: set[str] = set()
    while names:
        name = _plain(names.pop())
        if name not in found:
            found.add(name)
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                needs = importlib.metadata.requires(name) or []
                names += [re.match(r"[\w.-]+", need)[0] for need in needs if "extra ==" not in need]
    return found


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
