"""The tracks of training, validation and test: by folder, or by a seeded draw if a data set has no splits."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from cocola_metric.errors import AudioError, UsageError

SPLITS = ("train", "validation", "test")
TRAIN_SHARE = 0.8
VALIDATION_SHARE = 0.1
FOLDERS = {"train": ("train",), "validation": ("validation", "valid", "val"), "test": ("test",)}
ALL_FOLDERS = tuple(name for names in FOLDERS.values() for name in names)


def check_split(split: str) -> None:
    """Check the name of a split.

    Raises:
        UsageError: there is no split of that name.
    """
    if split not in SPLITS:
        raise UsageError(f"the split must be one of {', '.join(SPLITS)}; got {split!r}")


def find_home(root: Path, *landmarks: str) -> Path:
    """Return the folder in which one of the landmarks lies: the root, or the one folder in it that has a landmark.

    An archive unpacks into a folder of its own, so a root may be given with or without it.

    Raises:
        AudioError: there is no such folder.
    """
    if not root.is_dir():
        raise AudioError(f"{root}: no such folder; give the folder that the data set was unpacked into")
    homes = [root, *sorted(folder for folder in root.iterdir() if folder.is_dir())]
    for home in homes:
        if any(next(home.glob(landmark), None) for landmark in landmarks):
            return home
    raise AudioError(
        f"{root}: neither it nor a folder in it holds {' or '.join(landmarks)}; give the folder that the data set was "
        "unpacked into"
    )


def split_folder(home: Path, split: str) -> Path | None:
    """Return the folder of a split (``validation`` is also called ``valid`` or ``val``), or None."""
    check_split(split)
    return next((home / name for name in FOLDERS[split] if (home / name).is_dir()), None)


def draw_split(names: Iterable[str], split: str, seed: int = 0) -> set[str]:
    """Draw 80 % of the names for training, 10 % for validation and 10 % for test (section 4.1 for MoisesDB).

    A hash of seed and name decides the order, so the same names fall into the same splits everywhere.

    >>> [len(draw_split(map(str, range(240)), split)) for split in ("train", "validation", "test")]
    [192, 24, 24]
    """
    check_split(split)
    order = in_hashed_order(names, seed)
    held_out = max(1, round(VALIDATION_SHARE * len(order))), max(1, round((1 - TRAIN_SHARE) / 2 * len(order)))
    ends = {"validation": (0, held_out[0]), "test": (held_out[0], sum(held_out)), "train": (sum(held_out), len(order))}
    return set(order[slice(*ends[split])])


def in_hashed_order(names: Iterable[str], seed: int = 0) -> list[str]:
    """Return names in the order of a hash of seed and name: drawn, and the same everywhere."""
    return sorted(set(names), key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
