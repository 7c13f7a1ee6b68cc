"""How people play together: swing, a tempo that breathes, loose hands, and parts that take turns."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .notation import Note, Part

Clock = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Times as written -> times as played, both in seconds; it never goes back."""
MEMORY = 0.9  # correlation of the tempo deviations of a beat and the next
LARGEST_DEVIATION = 0.3
LATENESS, HASTE = 0.008, 0.006  # seconds: spread of the habits of players, and of single notes
STRENGTH = 6.0  # spread of velocities


def swing_clock(quarter: float, late: float) -> Clock:
    """Return a clock by which the second eighth of every quarter comes late.

    Args:
        quarter: length of a quarter, in seconds.
        late: place of the second eighth in its quarter: 0.5 is straight, 2/3 a triplet.
    """

    def clock(times: NDArray[np.float64]) -> NDArray[np.float64]:
        whole, part = np.divmod(times / quarter, 1.0)
        swung: NDArray[np.float64] = (whole + np.interp(part, [0.0, 0.5, 1.0], [0.0, late, 1.0])) * quarter
        return swung

    return clock


def breathing_clock(quarter: float, duration: float, spread: float, generator: np.random.Generator) -> Clock:
    """Return a clock whose quarters are longer and shorter, slowly changing, as those of a band without a click.

    Args:
        quarter: mean length of a quarter, in seconds.
        duration: length of the music, in seconds.
        spread: standard deviation of the length of a quarter, relative to the mean.
        generator: random generator of the deviations.
    """
    count = int(duration / quarter) + 2
    steps = generator.normal(0, spread * (1 - MEMORY**2) ** 0.5, count)
    deviations = np.zeros(count)
    deviations[0] = generator.normal(0, spread)
    for number in range(1, count):
        deviations[number] = MEMORY * deviations[number - 1] + steps[number]
    lengths = 1 + np.clip(deviations - deviations.mean(), -LARGEST_DEVIATION, LARGEST_DEVIATION)
    beats = quarter * np.concatenate([[0.0], lengths.cumsum()])

    def clock(times: NDArray[np.float64]) -> NDArray[np.float64]:
        played: NDArray[np.float64] = np.interp(times / quarter, np.arange(count + 1), beats)
        return played

    return clock


def by_clock(part: Part, clock: Clock) -> Part:
    """Move everything in a part to when a clock has it."""

    def at(times: Sequence[float]) -> list[float]:
        moved: list[float] = clock(np.asarray(times, np.float64)).tolist()
        return moved

    starts, ends = at([note.start for note in part.notes]), at([note.end for note in part.notes])
    changes, bends = at([one.time for one in part.controllers]), at([one.time for one in part.bends])
    return replace(
        part,
        notes=tuple(
            replace(note, start=start, end=end) for note, start, end in zip(part.notes, starts, ends, strict=True)
        ),
        controllers=tuple(replace(one, time=time) for one, time in zip(part.controllers, changes, strict=True)),
        bends=tuple(replace(one, time=time) for one, time in zip(part.bends, bends, strict=True)),
    )


def play_loosely(part: Part, generator: np.random.Generator) -> Part:
    """Play a part as one person does: always a little early or late, each note a little more, none like another."""
    habit = generator.normal(0, LATENESS)

    def play(note: Note) -> Note:
        start = max(0.0, note.start + habit + generator.normal(0, HASTE))
        velocity = int(np.clip(note.velocity + generator.normal(0, STRENGTH), 20, 127))
        return replace(note, start=start, end=max(start, note.end), velocity=velocity)

    return replace(part, notes=tuple(play(note) for note in part.notes))


def take_turns(part: Part, phrase: float, turn: int) -> Part:
    """Return the notes of a part that start in every second phrase: turn 0 calls, turn 1 answers."""
    return replace(part, notes=tuple(note for note in part.notes if int(note.start / phrase) % 2 == turn))
