"""Small scores that tests write for themselves."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pretty_midi

STEPS = "CDEFGAB"


def musicxml_note(step: str, octave: int, duration: int, extra: str = "") -> str:
    pitch = f"<pitch><step>{step}</step><octave>{octave}</octave></pitch>"
    return f"<note>{pitch}<duration>{duration}</duration>{extra}</note>"


def write_mxl(path: Path, parts: Sequence[Sequence[str]]) -> Path:
    """Write parts, each a list of measures of MusicXML with two divisions to the quarter."""
    names = "".join(
        f'<score-part id="P{number}"><part-name>Part {number}</part-name></score-part>' for number in range(len(parts))
    )
    divisions = "<attributes><divisions>2</divisions></attributes>"
    bodies = "".join(
        f'<part id="P{number}">{"".join(f"<measure>{divisions}{measure}</measure>" for measure in measures)}</part>'
        for number, measures in enumerate(parts)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/container.xml", "<container/>")
        archive.writestr("score.xml", f"<score-partwise><part-list>{names}</part-list>{bodies}</score-partwise>")
    return path


def write_quartet(path: Path, measures: int = 60) -> Path:
    """Write four parts of running quarters in 4/4."""
    return write_mxl(
        path,
        [
            [
                "".join(musicxml_note(STEPS[(measure + beat + voice) % 7], octave, 2) for beat in range(4))
                for measure in range(measures)
            ]
            for voice, octave in enumerate((5, 4, 4, 3))
        ],
    )


def write_tune(path: Path, *, upbeat: float, bars: int = 8) -> Path:
    """Write a melody of quarters in 4/4 at 120 quarters a minute over C, F, G7 and Am, a bar each."""
    midi = pretty_midi.PrettyMIDI(initial_tempo=120)
    midi.time_signature_changes.append(pretty_midi.TimeSignature(4, 4, 0))
    melody, chords = pretty_midi.Instrument(0, name="melody"), pretty_midi.Instrument(0, name="chords")
    for beat in range(-round(upbeat), 4 * bars):
        start = (upbeat + beat) / 2
        melody.notes.append(pretty_midi.Note(90, 72 + beat % 5, start, start + 0.5))
    for bar in range(bars):
        start = (upbeat + 4 * bar) / 2
        for pitch in ((48, 52, 55), (53, 57, 60), (55, 59, 62, 65), (57, 60, 64))[bar % 4]:
            chords.notes.append(pretty_midi.Note(70, pitch, start, start + 2))
    midi.instruments += [melody, chords]
    path.parent.mkdir(parents=True, exist_ok=True)
    midi.write(str(path))
    return path
