"""MUSDB18-HQ: 150 recorded songs of four stems, 100 for training and 50 for test."""

from pathlib import Path

from .splits import check_split, find_home
from .tracks import Stem, Track, keep_usable

STEMS = ("vocals", "drums", "bass", "other")
VALIDATION = frozenset(
    {
        "ANiMAL - Rockshow",
        "Actions - One Minute Smile",
        "Alexander Ross - Goodbye Bolero",
        "Clara Berry And Wooldog - Waltz For My Victims",
        "Fergessen - Nos Palpitants",
        "James May - On The Line",
        "Johnny Lokke - Promises & Lies",
        "Leaf - Summerghost",
        "Meaxic - Take A Step",
        "Patrick Talbot - A Reason To Leave",
        "Skelpolu - Human Mistakes",
        "Traffic Experiment - Sirens",
        "Triviul - Angelsaint",
        "Young Griffo - Pennies",
    }
)
"""Validation tracks, from ``train``: the choice of the package musdb (``configs/mus.yaml``) and of most users."""


def index_musdb18hq(root: Path, split: str) -> list[Track]:
    """Index ``<root>/<train|test>/<artist - title>/<stem>.wav``; ``mixture.wav`` beside the stems is left out.

    Validation is 14 tracks of ``train``, so training is the other 86.

    Raises:
        AudioError: no track can be used.
    """
    check_split(split)
    home = find_home(root, "train", "test")
    folders = sorted((home / ("test" if split == "test" else "train")).glob("*/"))
    if split != "test":
        folders = [folder for folder in folders if (folder.name in VALIDATION) == (split == "validation")]
    tracks = [
        Track(folder.name, tuple(Stem(stem, (folder / f"{stem}.wav",), stem) for stem in STEMS)) for folder in folders
    ]
    return keep_usable(tracks, f"{root} (musdb18hq, {split})")
