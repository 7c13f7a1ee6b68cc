"""Works, the unit of splitting: every movement, excerpt and variant of one work stays in one split."""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from cocola_metric.errors import CocolaError

from ..corpora import TRAIN_SHARE, VALIDATION_SHARE

Corpus = Literal["chorus", "bands", "desk", "songs"]
"""A rendered corpus: like CocoChorales, like Slakh2100, like MoisesDB; or songs, for more music to train on."""
CORPORA: tuple[Corpus, ...] = get_args(Corpus)
USUAL_CORPORA = CORPORA[:3]
SAME_WORKS = {"songs": "grooves"}
"""Recipe -> recipe whose works it uses too; a work is in one split, whoever uses it."""


class SourceAbsent(CocolaError):
    """A recipe's music or program is not installed."""


@dataclass(frozen=True)
class Work:
    """A piece of music and the files it is read from.

    Args:
        name: lower-case ASCII words joined by "-", unique in its recipe.
        paths: paths of its files (movements), of its folder, or of a file of many works that lists it by name.
    """

    name: str
    paths: tuple[Path, ...]


def work_name(title: str) -> str:
    """Make a title safe for file names.

    >>> work_name("Fauré,_Gabriel__String_Quartet,_Op.121")
    'faure-gabriel-string-quartet-op-121'
    """
    ascii_title = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_title.lower()).strip("-")


def group_works(paths: Iterable[Path], title_of: Callable[[Path], str]) -> list[Work]:
    """Return works of files gathered by title, in alphabetical order."""
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(work_name(title_of(path)), []).append(path)
    return [Work(name, tuple(sorted(groups[name]))) for name in sorted(groups)]


def split_of(recipe: str, work: str) -> str:
    """Return the split of a work: a hash decides, so adding or removing other works never moves it."""
    digest = hashlib.sha256(f"{SAME_WORKS.get(recipe, recipe)}/{work}".encode()).digest()
    fraction = int.from_bytes(digest[:8], "big") / 2**64
    if fraction < TRAIN_SHARE:
        return "train"
    return "validation" if fraction < TRAIN_SHARE + VALIDATION_SHARE else "test"
