"""Cheap wrong accompaniments: embeddings whose phasors are turned as by a delay or a transposition."""

import torch
from torch import Tensor

from cocola_metric.encoder import PhasorSizes, turn_embeddings

from .config import SamplingConfig


def turned_wrongs(
    embeddings: Tensor, count: int, sampling: SamplingConfig, sizes: PhasorSizes, generator: torch.Generator
) -> Tensor:
    """Return wrong versions of each accompaniment, half of them shifted and half transposed.

    Args:
        embeddings: embeddings of the accompaniments, by an encoder with phasors over time and pitch.
        count: number of wrong versions of each.
        sampling: settings with the least and largest shift, and the largest transposition.
        sizes: sizes of the phasors.
        generator: random generator of the draws.

    Shape:
        (K, D) -> (K, count, D).
    """
    shape = (len(embeddings), count)
    seconds = torch.empty(shape).uniform_(sampling.smallest_shift, sampling.largest_shift, generator=generator)
    semitones = torch.randint(1, sampling.largest_transposition + 1, shape, generator=generator).float()
    backwards = torch.rand(shape, generator=generator) < 0.5
    is_late = torch.arange(count) % 2 == 0
    seconds = torch.where(backwards, -seconds, seconds) * is_late
    semitones = torch.where(backwards, -semitones, semitones) * ~is_late
    return turn_embeddings(embeddings[:, None].expand(-1, count, -1), seconds, semitones, sizes)
