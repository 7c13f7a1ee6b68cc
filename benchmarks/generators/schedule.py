"""The noise levels from noise to music, as all samplers of waveforms use them (Karras et al. 2022)."""

import math
from dataclasses import dataclass

from cocola_metric.errors import UsageError


@dataclass(frozen=True)
class Schedule:
    """Noise levels of a sampler, and the noise that it adds anew; the defaults are MSDM's for partial generation.

    Attributes:
        steps: number of steps from noise to music.
        sigma_max: noise level of the first step.
        sigma_min: noise level of the last step; it leads to 0.
        rho: curvature of the schedule.
        churn: noise that is added anew, in all steps together; S_churn of EDM.
        resamples: number of times that each step is made.
    """

    steps: int = 256
    sigma_max: float = 20.0
    sigma_min: float = 1e-4
    rho: float = 7.0
    churn: float = 10.0
    resamples: int = 1

    def __post_init__(self) -> None:
        if self.steps < 2 or self.resamples < 1:
            raise UsageError(f"steps must be 2 or more, resamples 1 or more; got {self.steps} and {self.resamples}")
        if not 0 < self.sigma_min < self.sigma_max or self.rho <= 0 or self.churn < 0:
            raise UsageError(
                "sigma_min must lie between 0 and sigma_max, rho be above 0, churn 0 or more; got "
                f"sigma_min={self.sigma_min}, sigma_max={self.sigma_max}, rho={self.rho}, churn={self.churn}"
            )

    @property
    def gamma(self) -> float:
        """Relative rise of the noise level before each step."""
        return min(self.churn / self.steps, math.sqrt(2) - 1)

    def sigmas(self) -> list[float]:
        """Return the noise levels, steps + 1 of them with the final 0 (Karras et al. 2022, Eq. 5)."""
        top, bottom = self.sigma_max ** (1 / self.rho), self.sigma_min ** (1 / self.rho)
        levels = [(top + step / (self.steps - 1) * (bottom - top)) ** self.rho for step in range(self.steps)]
        return [*levels, 0.0]
