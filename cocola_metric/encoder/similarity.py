"""Similarities of two embeddings: inner products of a transform of either side (Eq. 2)."""

import torch
from torch import Tensor, nn

from .. import functional


class Similarity(nn.Module):
    """A similarity that is an inner product of transformed sides: left(h_y) . right(h_x)."""

    def left(self, conditioning: Tensor) -> Tensor:
        """Return the conditioning's side of the product: (..., D) -> (..., D)."""
        raise NotImplementedError

    def right(self, accompaniment: Tensor) -> Tensor:
        """Return the accompaniment's side of the product: (..., D) -> (..., D)."""
        raise NotImplementedError

    def matrix(self, conditioning: Tensor, accompaniment: Tensor) -> Tensor:
        """Return all similarities (Eq. 2): (K, D), (J, D) -> (K, J)."""
        scores: Tensor = functional.similarity_matrix(self.left(conditioning), self.right(accompaniment))
        return scores

    def pairs(self, conditioning: Tensor, accompaniment: Tensor) -> Tensor:
        """Return the similarity of each pair (Eq. 4): (B, D), (B, D) -> (B,)."""
        scores: Tensor = functional.similarity_pairs(self.left(conditioning), self.right(accompaniment))
        return scores


class BilinearSimilarity(Similarity):
    """h_y^T W h_x with the learnable matrix W of Eq. 2; it starts as a scaled inner product."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(dim) / dim**0.5)

    def left(self, conditioning: Tensor) -> Tensor:
        """Return h_y^T W."""
        return conditioning @ self.weight

    def right(self, accompaniment: Tensor) -> Tensor:
        """Return h_x."""
        return accompaniment


class CosineSimilarity(Similarity):
    """Cosine over a temperature (after SimCLR)."""

    temperature = 0.1

    def __init__(self, dim: int) -> None:
        super().__init__()

    def left(self, conditioning: Tensor) -> Tensor:
        """Return the unit vector over the temperature."""
        return nn.functional.normalize(conditioning, dim=-1) / self.temperature

    def right(self, accompaniment: Tensor) -> Tensor:
        """Return the unit vector."""
        return nn.functional.normalize(accompaniment, dim=-1)


class PlainCosineSimilarity(CosineSimilarity):
    """Cosine and nothing else, the alternative of Figure 4: the authors' code has no temperature."""

    temperature = 1.0
