"""Tables 1 to 3 of the paper as published, to stand beside what is measured here."""

from dataclasses import dataclass

from cocola_metric.training.evaluation import PUBLISHED_TABLE_2

__all__ = ["PUBLISHED_TABLE_1", "PUBLISHED_TABLE_2", "PUBLISHED_TABLE_3", "TABLE_3_COLUMNS", "PublishedSystem"]


@dataclass(frozen=True)
class PublishedSystem:
    """A row of Table 1.

    Attributes:
        tasks: what the paper says of each task the system can do: "MS" (several sources at a time), "1S" (one), or
            more; "" for a tick without a word. A task it cannot do is absent.
        methodology: how it is trained or used.
        inputs: single or multiple inputs, of sources or sub-mixes.
        outputs: likewise.
        coherence: whether it minds that what it makes fits.
    """

    tasks: dict[str, str]
    methodology: str
    inputs: str
    outputs: str
    coherence: bool


PUBLISHED_TABLE_1: dict[str, PublishedSystem] = {
    "MSDM": PublishedSystem(
        {"UG": "", "AG": "MS", "SS": "MS"}, "Training / Supervised", "Multi / Source", "Multi / Source", True
    ),
    "GMSDI": PublishedSystem(
        {"UG": "", "AG": "MS", "SS": "MS"},
        "Inference / Weakly Supervised",
        "Multi / Sub-mix",
        "Multi / Sub-mix",
        True,
    ),
    "StemGen": PublishedSystem(
        {"UG": "", "AG": "1S"}, "Training / Supervised", "Single / Sub-mix", "Single / Source", True
    ),
    "AUDIT": PublishedSystem(
        {"UG": "", "SS": "Remove 1S", "EA": "1S", "ER": "1S"},
        "Training / Supervised",
        "Single / Sub-mix",
        "Single / Sub-mix",
        False,
    ),
    "InstructME": PublishedSystem(
        {"UG": "", "SS": "Extract 1S; Remove 1S", "EA": "1S", "ER": "1S"},
        "Training / Supervised",
        "Single / Sub-mix",
        "Single / Sub-mix",
        True,
    ),
    "CompoNet": PublishedSystem(
        {"UG": "", "AG": "MS", "SS": "MS", "EA": "MS", "ER": "MS"},
        "Training / Supervised / Fine-tuning",
        "Single / Sub-mix",
        "Single / Sub-mix",
        True,
    ),
}
"""Table 1 by system. The marks under UG, and the coherence of CompoNet, are hard to read in the text of the paper that
circulates; they are taken as ticks."""

TABLE_3_COLUMNS = ("FAD CLAP", "FAD EnCodec", "FAD VGGish", "COCOLA All", "COCOLA CocoChorales")

PUBLISHED_TABLE_3: dict[str, dict[str, dict[str, float | None]]] = {
    dataset: {method: dict(zip(TABLE_3_COLUMNS, values, strict=True)) for method, values in rows.items()}
    for dataset, rows in {
        "Slakh2100": {
            "MSDM": (0.23, 92.81, 2.01, 3.31, 0.72),
            "CompoNet": (0.30, 106.23, 3.20, 13.50, 8.32),
            "Random": (0.064, 51.44, 0.16, 0.069, 1.06),
            "Ground Truth": (None, None, None, 16.57, 14.31),
        },
        "MUSDB18-HQ": {
            "MSDM": (0.29, 148.09, 2.36, 11.61, 3.37),
            "CompoNet": (0.37, 130.04, 2.14, 11.94, 7.21),
            "Random": (0.11, 100.25, 0.35, 4.40, 3.47),
            "Ground Truth": (None, None, None, 16.25, 12.45),
        },
    }.items()
}
"""Table 3: data set -> method -> column -> value; None where the paper has none. FAD is better when lower."""
