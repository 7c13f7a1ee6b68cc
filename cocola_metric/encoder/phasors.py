"""Phasors: Fourier coefficients of learned channels, whose similarity depends on relative time and relative pitch.

A coefficient turns by an angle when its map moves. If both sides of a similarity move together, both turn by the same
angle, and conj(x) y stays the same; if one side moves, conj(x) y turns. Cosine and sine are always treated as one
complex number.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .mel import DYNAMIC_RANGE_DB
from .noise_verdict import NoiseForm
from .phasor_sizes import (
    HARMONY_FREQUENCIES,
    NARROW,
    PITCH_FREQUENCIES,
    TIME_FREQUENCIES,
    VERDICT_WIDTH,
    PhasorGroup,
    PhasorSizes,
)
from .pitch_onset import ROWS_PER_OCTAVE
from .similarity import Similarity

HERTZ_STEP = 0.2
WHOLE_OCTAVES = 120
"""Rows of the 128 that make whole octaves; a constant over all of them vanishes in the series."""
SECONDS_PER_FRAME = 0.02
FRAMES_PER_STEP, FRAMES_PER_ONSET = 4, 2
FRAMES_PER_CHORD = 8
SMALLEST_NORM = 1e-6
TEMPERATURE = 10.0  # factor of a similarity of unit vectors before training


def waves(count: int, spacing: float, frequencies: Tensor) -> tuple[Tensor, Tensor]:
    """Return the real and the imaginary part of exp(-2 pi i f p) / N at N evenly spaced points p.

    Args:
        count: number of points, N.
        spacing: distance from one point to the next.
        frequencies: periods per unit of distance.

    Shape:
        (K,) -> (N, K), (N, K).
    """
    points = (torch.arange(count, dtype=frequencies.dtype, device=frequencies.device) + 0.5) * spacing
    angles = 2 * math.pi * points[:, None] * frequencies
    return angles.cos() / count, -angles.sin() / count


def unit(phasors: Tensor) -> Tensor:
    """Divide by the norm over the last axis; vectors close to zero, those of a constant image, stay close to zero.

    Shape:
        (..., D) -> the same.
    """
    return phasors / (phasors.square().sum(-1, keepdim=True) + SMALLEST_NORM**2).sqrt()


class TimePhasors(nn.Module):
    """Phasors over time, of learned channels of the trunk's map in steps of 80 ms and of the images in steps of 40 ms.

    Shape:
        images (B, 2, 128, F), map (B, 24, 32, F / 4) -> (B, 2 K C), of unit norm.
    """

    frequencies: Tensor

    def __init__(self, sizes: PhasorSizes = NARROW) -> None:
        super().__init__()
        first = sizes.hidden or sizes.trunk
        layers: list[nn.Module] = [nn.Conv2d(24, first, (32, 1), bias=False), nn.BatchNorm2d(first), nn.SiLU()]
        if sizes.hidden:
            further = nn.Conv2d(first, sizes.trunk, (1, 3), padding=(0, 1), bias=False)
            layers += [further, nn.BatchNorm2d(sizes.trunk), nn.SiLU()]
        self.trunk = nn.Sequential(*layers)
        self.image = nn.Sequential(
            *(nn.Conv2d(2, 8, (8, 5), (4, FRAMES_PER_ONSET), (2, 2), bias=False), nn.BatchNorm2d(8), nn.SiLU()),
            *(nn.Conv2d(8, sizes.image, (32, 1), bias=False), nn.BatchNorm2d(sizes.image), nn.SiLU()),
        )
        self.gain = nn.Parameter(torch.zeros(TIME_FREQUENCIES, sizes.time.channels))
        hertz = HERTZ_STEP * torch.arange(1, TIME_FREQUENCIES + 1, dtype=torch.float32)
        self.register_buffer("frequencies", hertz, persistent=False)

    def forward(self, images: Tensor, quarter: Tensor) -> Tensor:
        """Return the phasors."""
        loudness = 1 + images / DYNAMIC_RANGE_DB  # 0 to 1
        sides = [
            self.series(self.trunk(quarter)[:, :, 0].float(), FRAMES_PER_STEP * SECONDS_PER_FRAME),
            self.series(self.image(loudness)[:, :, 0].float(), FRAMES_PER_ONSET * SECONDS_PER_FRAME),
        ]
        real, imaginary = (torch.cat(parts, dim=-1) * self.gain.exp() for parts in zip(*sides, strict=True))
        return unit(torch.cat([real.flatten(1), imaginary.flatten(1)], dim=1))

    def series(self, channels: Tensor, seconds: float) -> tuple[Tensor, Tensor]:
        """Return the Fourier coefficients over time of channels whose steps are ``seconds`` long.

        Shape:
            (B, C, T) -> (B, K, C), (B, K, C).
        """
        varying = channels - channels.mean(-1, keepdim=True)
        real, imaginary = waves(channels.shape[-1], seconds, self.frequencies)
        with torch.autocast(channels.device.type, enabled=False):
            return (varying @ real).transpose(1, 2), (varying @ imaginary).transpose(1, 2)


class PitchPhasors(nn.Module):
    """Phasors over pitch and time, of saliences of the rows, which are half a semitone apart.

    The saliences come from convolutions along the rows, which treat all rows alike, and octaves count as equal. So a
    transposition turns every phasor by an angle that depends on its frequency only.

    Shape:
        images (B, 2, 128, F) -> (B, 2 K C), of unit norm.
    """

    pitch_frequencies: Tensor
    time_frequencies: Tensor

    def __init__(self, sizes: PhasorSizes = NARROW) -> None:
        super().__init__()
        hidden = sizes.hidden_saliences
        self.salience = nn.Sequential(
            *(nn.Conv2d(1, hidden, (49, 1), padding=(24, 0), bias=False), nn.BatchNorm2d(hidden), nn.SiLU()),
            *(nn.Conv2d(hidden, sizes.saliences, 1), nn.SiLU()),
        )
        self.gain = nn.Parameter(torch.zeros(sizes.pitch.frequencies, sizes.saliences))
        octaves = torch.arange(1, PITCH_FREQUENCIES + 1, dtype=torch.float32)
        hertz = HERTZ_STEP * torch.arange(-HARMONY_FREQUENCIES, HARMONY_FREQUENCIES + 1, dtype=torch.float32)
        self.register_buffer("pitch_frequencies", octaves, persistent=False)
        self.register_buffer("time_frequencies", hertz, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the phasors."""
        levels = nn.functional.avg_pool2d(1 + images[:, :1] / DYNAMIC_RANGE_DB, (1, FRAMES_PER_CHORD))
        saliences = self.salience(levels).float()[:, :, :WHOLE_OCTAVES]
        real, imaginary = (part * self.gain.exp() for part in self.series(saliences))
        return unit(torch.cat([real.flatten(1), imaginary.flatten(1)], dim=1))

    def series(self, saliences: Tensor) -> tuple[Tensor, Tensor]:
        """Return the Fourier coefficients over pitch and time.

        Shape:
            (B, C, R, T) -> (B, K, C), (B, K, C).
        """
        rows, steps = saliences.shape[2:]
        pitch_real, pitch_imaginary = waves(rows, 1 / ROWS_PER_OCTAVE, self.pitch_frequencies)
        time_real, time_imaginary = waves(steps, FRAMES_PER_CHORD * SECONDS_PER_FRAME, self.time_frequencies)
        with torch.autocast(saliences.device.type, enabled=False):
            over_pitch = saliences.transpose(2, 3)  # (B, C, T, R)
            real, imaginary = ((over_pitch @ part).transpose(2, 3) for part in (pitch_real, pitch_imaginary))
            both = real @ time_real - imaginary @ time_imaginary, real @ time_imaginary + imaginary @ time_real
        first, second = (part.flatten(2).transpose(1, 2) for part in both)
        return first, second


def turn_embeddings(embeddings: Tensor, seconds: Tensor, semitones: Tensor, sizes: PhasorSizes = NARROW) -> Tensor:
    """Turn embeddings that end in phasors over time and pitch, as if their music were later and higher.

    Music that leaves the window at one end enters at the other. Numbers that are no phasors stay as they are.

    Shape:
        (..., D), (...), (...) -> (..., D).
    """
    hertz = HERTZ_STEP * torch.arange(-HARMONY_FREQUENCIES, TIME_FREQUENCIES + 1, device=embeddings.device)
    octaves = torch.arange(1, PITCH_FREQUENCIES + 1, device=embeddings.device) / 12
    over_time = seconds[..., None] * hertz
    harmony = over_time[..., : 2 * HARMONY_FREQUENCIES + 1]
    over_both = (semitones[..., None] * octaves)[..., None] + harmony[..., None, :]
    groups = sizes.time, sizes.pitch
    widths = [group.width for group in groups]
    real, time, pitch = embeddings.split([embeddings.shape[-1] - sum(widths), *widths], -1)
    later = _turned(time, groups[0], over_time[..., HARMONY_FREQUENCIES + 1 :])
    return torch.cat([real, later, _turned(pitch, groups[1], over_both.flatten(-2))], dim=-1)


def _turned(phasors: Tensor, group: PhasorGroup, periods: Tensor) -> Tensor:
    """Turn the phasors of each frequency back by a number of periods: (..., 2 K C), (..., K) -> (..., 2 K C)."""
    real, imaginary = phasors.unflatten(-1, (2, group.frequencies, group.channels)).unbind(-3)
    cosine, sine = (2 * math.pi * periods).cos()[..., None], (2 * math.pi * periods).sin()[..., None]
    turned = [real * cosine + imaginary * sine, imaginary * cosine - real * sine]
    return torch.stack(turned, dim=-3).flatten(-3)


class PhasorForm(nn.Module):
    """The form sum_k Re(x_k^H W_k y_k), with a complex matrix W_k for each frequency; W need not be positive.

    Shape:
        (..., 2 K C) -> the same: the left side of an inner product with y.
    """

    def __init__(self, group: PhasorGroup, *, mixed: bool = False) -> None:
        """Take the phasors; ``mixed`` replaces the matrices by one that combines all frequencies."""
        super().__init__()
        self.shape = (2, 1, group.frequencies * group.channels) if mixed else (2, group.frequencies, group.channels)
        identity = torch.eye(self.shape[2]).expand(self.shape[1], -1, -1)
        self.weight = nn.Parameter(torch.stack([identity, torch.zeros_like(identity)]))
        self.log_temperature = nn.Parameter(torch.tensor(math.log(TEMPERATURE)))

    def forward(self, phasors: Tensor) -> Tensor:
        """Return x^H W as real numbers, the factors of those of y."""
        parts = phasors.unflatten(-1, self.shape)
        real, imaginary = parts[..., 0, :, :], parts[..., 1, :, :]  # (..., K, C)
        left = [
            _times(real, self.weight[0]) + _times(imaginary, self.weight[1]),
            _times(imaginary, self.weight[0]) - _times(real, self.weight[1]),
        ]
        return self.log_temperature.exp() * torch.stack(left, dim=-3).flatten(-3)


def _times(rows: Tensor, matrices: Tensor) -> Tensor:
    return (rows.unsqueeze(-2) @ matrices).squeeze(-2)


class PhasorSimilarity(Similarity):
    """A bilinear form (Eq. 2) of a real part and of phasors, each kind with its own matrices and temperature."""

    def __init__(self, dim: int, groups: Sequence[PhasorGroup], *, mixed: bool = False, noise: bool = False) -> None:
        """Take the width of the whole embedding and the phasors at its end, before them a verdict if there is one."""
        super().__init__()
        widths = [*([VERDICT_WIDTH] if noise else []), *(group.width for group in groups)]
        width = dim - sum(widths)
        self.places = [0, *itertools.accumulate([width, *widths])]
        self.weight = nn.Parameter(torch.eye(width) / width**0.5)
        self.noise = NoiseForm() if noise else None
        self.forms = nn.ModuleList(PhasorForm(group, mixed=mixed) for group in groups)

    def left(self, conditioning: Tensor) -> Tensor:
        """Return the conditioning's side: each part times its matrices and its temperature."""
        real, *others = (conditioning[..., start:end] for start, end in itertools.pairwise(self.places))
        forms = [*([self.noise] if self.noise is not None else []), *self.forms]
        sides = [form(part) for form, part in zip(forms, others, strict=True)]
        return torch.cat([real @ self.weight, *sides], dim=-1)

    def right(self, accompaniment: Tensor) -> Tensor:
        """Return h_x."""
        return accompaniment
