from .anchors import Anchors
from .distributions import LEVELS, READINGS, Lengths, PairScores, Reading
from .reference_file import (
    REFERENCE_FILE,
    copy_reference,
    drop_reference,
    find_reference,
    read_reference,
    write_reference,
)
from .references import ScoreReference
from .words import percent, sentence

__all__ = [
    "LEVELS",
    "READINGS",
    "REFERENCE_FILE",
    "Anchors",
    "Lengths",
    "PairScores",
    "Reading",
    "ScoreReference",
    "copy_reference",
    "drop_reference",
    "find_reference",
    "percent",
    "read_reference",
    "sentence",
    "write_reference",
]
