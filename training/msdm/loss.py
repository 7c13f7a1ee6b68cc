"""The objective of MSDM: the preconditioned network predicts the music from noisy music."""

from torch import Tensor, nn

from .network import MSDM
from .noise import Noise
from .preconditioning import denoising_losses


class Denoising(nn.Module):
    """A model in training: it maps stems and noise to losses."""

    def __init__(self, model: MSDM) -> None:
        super().__init__()
        self.model = model

    def forward(self, stems: Tensor, noise: Noise) -> Tensor:
        """Return `denoising_losses` of the network's stems: (B, N, L), noise of B items -> (B,)."""
        return denoising_losses(self.model.unet, stems, noise, self.model.config.sigma_data)
