"""Similarities of PHALAR's complex embeddings: Re of (W x)^H y, where x and y are unit vectors."""

import torch
from torch import Tensor, nn

from .heads import complex_product
from .similarity import Similarity

FIRST_SCALE = 10.0  # of W before training: a cosine over a temperature of 0.1


class ComplexBilinearSimilarity(Similarity):
    """Re of (W x)^H y as PHALAR is trained: x the conditioning, y the accompaniment, W any complex matrix.

    Embeddings hold their D real parts, then their D imaginary ones.

    Attributes:
        weight: real parts of W above its imaginary parts, (2 D, D).
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.cat([FIRST_SCALE * torch.eye(dim), torch.zeros(dim, dim)]))

    def matrix_weight(self) -> Tensor:
        """Return the W of the similarity, real parts above imaginary ones: (2 D, D)."""
        return self.weight

    def left(self, conditioning: Tensor) -> Tensor:
        """Return W x."""
        return complex_product(nn.functional.normalize(conditioning, dim=-1), self.matrix_weight())

    def right(self, accompaniment: Tensor) -> Tensor:
        """Return y."""
        return nn.functional.normalize(accompaniment, dim=-1)


class HermitianSimilarity(ComplexBilinearSimilarity):
    """The similarity of PHALAR in use: the mean of both directions, the symmetric form with (W + W^H) / 2."""

    def matrix_weight(self) -> Tensor:
        """Return the Hermitian part of W."""
        half = len(self.weight) // 2
        real, imaginary = self.weight[:half], self.weight[half:]
        return torch.cat([real + real.T, imaginary - imaginary.T]) / 2


class SemidefiniteSimilarity(ComplexBilinearSimilarity):
    """An ablation with W = A^H A, so that no embedding has a negative similarity with itself; the weight holds A."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        with torch.no_grad():
            self.weight.div_(FIRST_SCALE**0.5)

    def right(self, accompaniment: Tensor) -> Tensor:
        """Return A y."""
        return self.left(accompaniment)
