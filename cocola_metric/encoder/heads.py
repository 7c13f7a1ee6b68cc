"""From pooled features to an embedding: the paper's projection, the MLP of 2026, and PHALAR's complex MLP."""

import torch
from torch import Tensor, nn

EPSILON = 1e-8


class ComplexLinear(nn.Module):
    """A complex matrix without bias, on vectors that hold all real parts, then all imaginary ones.

    Shape:
        (..., 2 I) -> (..., 2 O).

    Attributes:
        weight: real parts of the matrix above its imaginary parts, (2 O, I).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2 * outputs, inputs) / (2 * inputs) ** 0.5)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the product."""
        return complex_product(vectors, self.weight)


class ComplexNorm(nn.Module):
    """Scales vectors to mean square magnitude 1, then by a learned factor for each number: (..., 2 D) -> the same."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the normalised vectors."""
        mean_square = 2 * vectors.square().mean(-1, keepdim=True)
        return vectors * (mean_square + EPSILON).rsqrt() * torch.cat([self.weight, self.weight])


class ModulusGate(nn.Module):
    """Adds a learned threshold to each magnitude, with zero as least, and keeps phases: (..., 2 D) -> the same."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.zeros(dim))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the gated vectors."""
        magnitude = magnitudes(vectors)
        factor = torch.relu(magnitude + self.threshold) / magnitude.clamp(min=EPSILON)
        return vectors * torch.cat([factor, factor], -1)


class MagnitudeMlp(nn.Module):
    """The ablation without phases, the MLP of 2026 on the magnitudes of phasors: (B, 2 I) -> (B, D)."""

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.layers = mlp(width // 2, dim)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the projection of the magnitudes."""
        projected: Tensor = self.layers(magnitudes(vectors))
        return projected


def mlp(width: int, dim: int) -> nn.Sequential:
    """Return the MLP of the authors' COCOLA of 2026: (B, W) -> (B, D)."""
    return nn.Sequential(nn.Linear(width, dim), nn.BatchNorm1d(dim), nn.SiLU(), nn.Linear(dim, dim))


def complex_mlp(width: int, dim: int) -> nn.Sequential:
    """Return the MLP of PHALAR, on phasors: (B, 2 I) -> (B, 2 D)."""
    return nn.Sequential(ComplexLinear(width // 2, dim), ComplexNorm(dim), ModulusGate(dim), ComplexLinear(dim, dim))


def magnitudes(vectors: Tensor) -> Tensor:
    """Return the magnitudes of complex numbers: (..., 2 D) -> (..., D)."""
    half = vectors.shape[-1] // 2
    real, imaginary = vectors[..., :half], vectors[..., half:]
    return (real.square() + imaginary.square()).clamp(min=EPSILON**2).sqrt()


def complex_product(vectors: Tensor, weight: Tensor) -> Tensor:
    """Return the product of complex vectors and a complex matrix, each real parts first: (..., 2 I) -> (..., 2 O).

    Args:
        vectors: (..., 2 I).
        weight: real parts of the matrix, (O, I), above its imaginary parts.
    """
    outputs, inputs = len(weight) // 2, weight.shape[1]
    of_real, of_imaginary = vectors[..., :inputs] @ weight.T, vectors[..., inputs:] @ weight.T  # each (..., 2 O)
    real = of_real[..., :outputs] - of_imaginary[..., outputs:]
    imaginary = of_real[..., outputs:] + of_imaginary[..., :outputs]
    return torch.cat([real, imaginary], -1)
