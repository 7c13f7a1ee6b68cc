"""The tracks of training, validation and test: by folder, or by a seeded draw if a data set has no splits."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
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


def is_divided(root: Path) -> bool:
    """Tell whether a folder holds the folder of a split."""
    return any((root / name).is_dir() for name in ALL_FOLDERS)


def existing_split(root: Path, split: str) -> Path:
    """Return the folder of a split.

    Raises:
        AudioError: there is none.
    """
    folder = split_folder(root, split)
    if folder is None:
        names = " or ".join(FOLDERS[split])
        raise AudioError(f"{root}: no folder {names} beside its other splits; put tracks of that split there")
    return folder


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


def draw_groups(groups: Mapping[str, str], split: str, seed: int = 0) -> set[str]:
    """Draw groups of names as `draw_split` draws names, and return the names in them; no group is in two splits.

    Args:
        groups: group of each name.
        split: name of the split: train, validation or test.
        seed: seed of the draw.
    """
    drawn = draw_split(groups.values(), split, seed)
    return {name for name, group in groups.items() if group in drawn}


def group_by(names: Iterable[str], group_of: Callable[[str], str]) -> dict[str, str]:
    """Return the group of each name; where fewer groups than splits would be left, each name is a group of its own.

    >>> group_by(["a_1", "a_2", "b", "c"], lambda name: name[0])
    {'a_1': 'a', 'a_2': 'a', 'b': 'b', 'c': 'c'}
    >>> group_by(["track 1", "track 2", "track 3"], lambda name: name[:5])
    {'track 1': 'track 1', 'track 2': 'track 2', 'track 3': 'track 3'}
    """
    groups = {name: group_of(name) or name for name in names}
    return groups if len(set(groups.values())) >= len(SPLITS) else {name: name for name in groups}


def in_hashed_order(names: Iterable[str], seed: int = 0) -> list[str]:
    """Return names in the order of a hash of seed and name: drawn, and the same everywhere."""
    return sorted(set(names), key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
