"""The model behind GMSDI: one denoiser for the waveform of any sub-mix, given the tags of what plays in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from cocola_metric.errors import UsageError

from ..msdm import UNet, UNetConfig, precondition


@dataclass(frozen=True)
class GMSDIConfig:
    """Tags, rate, length and sizes of a model.

    Attributes:
        tags: instruments that the model knows.
        sample_rate: sample rate, in Hz.
        length: length of the training windows, in samples.
        sigma_data: standard deviation of the music that the preconditioning assumes.
        powers: mean square of each instrument where it sounds, for inference; () stands for equal ones.
        unet: sizes of the network, which has one channel of audio.
    """

    tags: tuple[str, ...] = ("bass", "drums", "guitar", "piano")
    sample_rate: int = 8_000
    length: int = 40_960
    sigma_data: float = 0.1
    powers: tuple[float, ...] = ()
    unet: UNetConfig = field(default_factory=lambda: UNetConfig(stems=1))

    def __post_init__(self) -> None:
        if not self.tags or len(set(self.tags)) != len(self.tags):
            raise UsageError(f"tags must be one or more different words; got {self.tags}")
        if self.powers and (len(self.powers) != len(self.tags) or min(self.powers) <= 0):
            raise UsageError(f"powers must be {len(self.tags)} numbers above 0, one per tag; got {self.powers}")
        if self.unet.stems != 1:
            raise UsageError(f"unet.stems must be 1, for one sub-mix; got {self.unet.stems}")
        if self.length < 1 or self.length % self.unet.stride:
            raise UsageError(f"length must be a multiple of {self.unet.stride}, the U-Net's stride; got {self.length}")

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return self.length / self.sample_rate


class GMSDI(nn.Module):
    """A denoiser D(x; σ, tags) of one sub-mix.

    The tags say all that sounds in the sub-mix. Each has an embedding; their sum is added to that of the noise level.
    No tag at all stands for any sub-mix, so the model can be guided without a classifier (Ho and Salimans 2022).
    """

    def __init__(self, config: GMSDIConfig) -> None:
        super().__init__()
        self.config = config
        self.unet = UNet(config.unet)
        self.tags = nn.Linear(len(config.tags), 4 * config.unet.channels, bias=False)

    def words(self, tags: Sequence[Iterable[str]]) -> Tensor:
        """Return which tags each sub-mix has: B sets of tags -> (B, V) of 0 and 1, on the model's device.

        Raises:
            UsageError: a tag is unknown.
        """
        known = self.config.tags
        for unknown in sorted({tag for one in tags for tag in one} - set(known)):
            raise UsageError(f"the model knows {', '.join(known)}, not {unknown}; train one with that tag")
        rows = [[float(tag in one) for tag in known] for one in map(set, tags)]
        return torch.tensor(rows, device=self.tags.weight.device).view(len(rows), len(known))

    def predict(self, x: Tensor, time: Tensor, words: Tensor) -> Tensor:
        """Apply the network F of the preconditioning: (B, 1, L), (B,), (B, V) -> (B, 1, L)."""
        output: Tensor = self.unet(x, time, self.tags(words))
        return output

    def forward(self, x: Tensor, sigma: Tensor | float, words: Tensor, guidance: float = 1.0) -> Tensor:
        """Estimate sub-mixes without their noise, by the preconditioning of EDM.

        Args:
            x: sub-mixes with Gaussian noise.
            sigma: standard deviation of the noise, one for each item or one for all.
            words: tags of each sub-mix, from `words`.
            guidance: weight w of classifier-free guidance, D(x) + w (D(x; tags) - D(x)). With 1 the tags alone count,
                and the network is called once instead of twice; with 0 they do not count.

        Shape:
            (B, 1, L), (B,), (B, V) -> (B, 1, L).

        Raises:
            UsageError: the shape of x does not fit the network.
        """
        stride = self.config.unet.stride
        if x.ndim != 3 or x.shape[1] != 1 or x.shape[2] % stride:
            raise UsageError(f"x must have the shape (batch, 1, a multiple of {stride}); got {tuple(x.shape)}")

        def estimate(given: Tensor) -> Tensor:
            return precondition(
                lambda scaled, time: self.predict(scaled, time, given), x, sigma, self.config.sigma_data
            )

        if guidance == 1:
            return estimate(words)
        free = estimate(torch.zeros_like(words))
        return free if guidance == 0 else free + guidance * (estimate(words) - free)
