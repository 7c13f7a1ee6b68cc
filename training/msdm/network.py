"""MSDM, multi-source diffusion: one denoiser for the waveforms of all stems of a band (reference [12] of the paper)."""

from dataclasses import dataclass, field

from torch import Tensor, nn

from cocola_metric.errors import UsageError

from .preconditioning import precondition
from .unet import UNet, UNetConfig


@dataclass(frozen=True)
class MSDMConfig:
    """Stems, rate, length and sizes of a model; the defaults are those of the released weights.

    Attributes:
        stems: instrument of each channel.
        sample_rate: sample rate, in Hz.
        length: length of the training windows, in samples; the default is 11.889 s.
        sigma_data: standard deviation of the music that the preconditioning assumes.
        unet: sizes of the network.
    """

    stems: tuple[str, ...] = ("bass", "drums", "guitar", "piano")
    sample_rate: int = 22_050
    length: int = 2**18
    sigma_data: float = 0.2
    unet: UNetConfig = field(default_factory=UNetConfig)

    def __post_init__(self) -> None:
        if len(set(self.stems)) != self.unet.stems:
            raise UsageError(
                f"stems must be {self.unet.stems} different names, one per stem of the U-Net; got {self.stems}"
            )
        if self.length < 1 or self.length % self.unet.stride:
            raise UsageError(f"length must be a multiple of {self.unet.stride}, the U-Net's stride; got {self.length}")

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return self.length / self.sample_rate


class MSDM(nn.Module):
    """A denoiser D(x; σ) of several stems at once."""

    def __init__(self, config: MSDMConfig) -> None:
        super().__init__()
        self.config = config
        self.unet = UNet(config.unet)

    def forward(self, x: Tensor, sigma: Tensor | float) -> Tensor:
        """Estimate the stems without their noise, by `precondition`.

        Args:
            x: stems with Gaussian noise.
            sigma: standard deviation of the noise, one for each item or one for all.

        Shape:
            (B, N, L), (B,) -> (B, N, L).

        Raises:
            UsageError: the shape of x does not fit the network.
        """
        stems, stride = len(self.config.stems), self.config.unet.stride
        if x.ndim != 3 or x.shape[1] != stems or x.shape[2] % stride:
            raise UsageError(f"x must have the shape (batch, {stems}, a multiple of {stride}); got {tuple(x.shape)}")
        return precondition(self.unet, x, sigma, self.config.sigma_data)
