"""The two ways to draw the stems of a track into sub-mixes."""

from typing import Literal, get_args

Partition = Literal["window", "track"]
"""Stems are drawn anew in each window, as in the paper, or once per track."""
PARTITIONS: tuple[Partition, ...] = get_args(Partition)
