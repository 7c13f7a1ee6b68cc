"""When the stems of a track are drawn into sub-mixes."""

from typing import Literal, get_args

Partition = Literal["window", "track"]
"""Anew in each window, as in the paper, or once a track."""
PARTITIONS: tuple[Partition, ...] = get_args(Partition)
