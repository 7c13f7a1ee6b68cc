"""The tasks between stems of one window (Figure 3), and who can do them (Table 1)."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from cocola_metric.errors import UsageError
from cocola_metric.training.evaluation import NOTHING, markdown_table

from .paper import PUBLISHED_TABLE_1, PublishedSystem


class Task(StrEnum):
    """What is asked of a system that is given the stems Y and has to make the stems X; X is never empty."""

    UG = "unconditional generation"  # Y empty
    AG = "accompaniment generation"  # Y and X have nothing in common
    SS = "source separation"  # X strictly within Y
    EA = "editing: add"  # Y strictly within X
    ER = "editing: replace"  # they share stems, and each has stems of its own
    ID = "reconstruction"  # Y = X: trained by CompoNet's code, not in Figure 3


def classify(given: Collection[str], wanted: Collection[str]) -> Task:
    """Return the task that asks for the stems ``wanted``, X, of one who hears the stems ``given``, Y (Figure 3).

    >>> classify({"bass"}, {"drums"}).name, classify({"bass", "drums"}, {"drums"}).name
    ('AG', 'SS')

    Raises:
        UsageError: nothing is wanted.
    """
    y, x = frozenset(given), frozenset(wanted)
    if not x:
        raise UsageError("X is empty: a task asks for one stem or more")
    if not y:
        return Task.UG
    if y == x:
        return Task.ID
    if not y & x:
        return Task.AG
    if x < y:
        return Task.SS
    return Task.EA if y < x else Task.ER


@dataclass(frozen=True)
class System:
    """A system of the paper, and how it is evaluated here.

    Attributes:
        published: its row of Table 1.
        route: "in process", or "folder": its output is read from a folder of WAVs.
        weights: the data sets for which trained weights were published.
        reason: why it goes this way.
    """

    published: PublishedSystem
    route: str
    weights: tuple[str, ...]
    reason: str

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What it can do, according to the paper."""
        return tuple(Task[name] for name in self.published.tasks)


SYSTEMS: dict[str, System] = {
    "MSDM": System(
        PUBLISHED_TABLE_1["MSDM"],
        "in process",
        ("Slakh2100",),
        "code and Slakh2100 weights are public; the MUSDB18-HQ model of Table 3 was never released",
    ),
    "GMSDI": System(PUBLISHED_TABLE_1["GMSDI"], "folder", (), "no code and no weights: a demonstration page only"),
    "StemGen": System(
        PUBLISHED_TABLE_1["StemGen"],
        "folder",
        (),
        "no code and no weights from its authors; a re-implementation exists (lukewys/stream-music-gen)",
    ),
    "AUDIT": System(
        PUBLISHED_TABLE_1["AUDIT"],
        "folder",
        (),
        "no editing code and no weights; it makes full mixes, and does not do AG",
    ),
    "InstructME": System(
        PUBLISHED_TABLE_1["InstructME"],
        "folder",
        (),
        "no code and no weights; it makes full mixes, and does not do AG",
    ),
    "CompoNet": System(
        PUBLISHED_TABLE_1["CompoNet"],
        "in process",
        ("MUSDB18-HQ", "MoisesDB", "Slakh2100"),
        "code and weights are public; UG is claimed, but the released code never trains it",
    ),
}
"""The systems of Table 1 by name."""

_FIGURE_3 = tuple(task for task in Task if task is not Task.ID)


def print_table_1() -> str:
    """Return Table 1 as Markdown, and below it how each system is evaluated here."""
    header = ["system", *(task.name for task in _FIGURE_3), "methodology", "input", "output", "coherence"]
    rows = []
    for name, system in SYSTEMS.items():
        row = system.published
        marks = [row.tasks[task.name] or "yes" if task.name in row.tasks else NOTHING for task in _FIGURE_3]
        rows.append([name, *marks, row.methodology, row.inputs, row.outputs, "yes" if row.coherence else "no"])
    routes = [
        [name, system.route, ", ".join(system.weights) or "none", system.reason] for name, system in SYSTEMS.items()
    ]
    meanings = "\n".join(f"- {task.name}: {task.value}" for task in _FIGURE_3)
    return "\n\n".join(
        [
            "### Table 1 of the paper",
            markdown_table(header, rows),
            meanings + "\n- 1S, MS: one source at a time, several",
            "### How each is evaluated here",
            markdown_table(["system", "route", "published weights", "because"], routes),
        ]
    )
