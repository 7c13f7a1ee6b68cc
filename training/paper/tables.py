"""Tables 1 to 3 of the paper as published, to stand beside what is measured here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedSystem:
    """A row of Table 1.

    Attributes:
        tasks: tasks that the system can do, with the paper's word on each: "MS" (several sources at a time), "1S" (one)
            or more; "" for a tick without a word.
        methodology: method of training or use.
        inputs: number and kind of inputs: single or multiple, sources or sub-mixes.
        outputs: number and kind of outputs, likewise.
        coherence: claim that its outputs are coherent with the input.
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
"""Table 1 by system. The marks under UG, and the coherence of CompoNet, are hard to read in the paper's text as it
circulates; they are taken for ticks."""

PUBLISHED_TABLE_2: dict[str, dict[str, float]] = {
    "MoisesDB": {"MUSDB18-HQ": 52.56, "MoisesDB": 53.01, "Slakh2100": 51.22, "CocoChorales": 60.32},
    "Slakh2100": {"MUSDB18-HQ": 53.06, "MoisesDB": 53.58, "Slakh2100": 53.78, "CocoChorales": 59.35},
    "CocoChorales": {"MUSDB18-HQ": 70.10, "MoisesDB": 61.48, "Slakh2100": 67.50, "CocoChorales": 99.78},
    "All": {"MUSDB18-HQ": 90.43, "MoisesDB": 93.06, "Slakh2100": 90.06, "CocoChorales": 99.89},
}
"""Table 2: accuracy (Eq. 8, K = 2) in percent by training data, then by test data; MUSDB18-HQ was held out."""

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
"""Table 3: values by data set, method and column; None if the paper has none. FAD is better when lower."""
