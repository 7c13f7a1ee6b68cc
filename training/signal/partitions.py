"""When the stems of a track are drawn into sub-mixes, and how many go to either side."""

from typing import Literal, get_args

Partition = Literal["window", "track"]
"""Stems are drawn anew in each window, as in the paper, or once per track."""
PARTITIONS: tuple[Partition, ...] = get_args(Partition)

SubsetLaw = Literal["in_turn", "even", "single"]
"""Law of the sizes of two disjoint subsets, as `draw_subsets` explains."""
SUBSET_LAWS: tuple[SubsetLaw, ...] = get_args(SubsetLaw)
