"""The systems of Table 1: the tasks of each, and how it is evaluated here."""

from dataclasses import dataclass

from cocola_metric.training.evaluation import NOTHING, markdown_table
from cocola_metric.training.paper import PUBLISHED_TABLE_1, PublishedSystem, Task


@dataclass(frozen=True)
class System:
    """A system of the paper, and how it is evaluated here.

    Attributes:
        published: row of Table 1.
        route: way of evaluation: "in process", or "folder" of WAVs from elsewhere.
        weights: data sets with published trained weights.
        reason: reason for the route.
    """

    published: PublishedSystem
    route: str
    weights: tuple[str, ...]
    reason: str

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Tasks that it can do, according to the paper."""
        return tuple(Task[name] for name in self.published.tasks)


SYSTEMS: dict[str, System] = {
    "MSDM": System(
        PUBLISHED_TABLE_1["MSDM"],
        "in process",
        ("Slakh2100",),
        "code and Slakh2100 weights are public; the MUSDB18-HQ model of Table 3 was never released",
    ),
    "GMSDI": System(
        PUBLISHED_TABLE_1["GMSDI"],
        "in process",
        (),
        "its authors published no code and no weights; gmsdi:DIR is our own, written from its abstract",
    ),
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


def table_1_markdown() -> str:
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
