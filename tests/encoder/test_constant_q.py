"""The constant-Q front end: exact against the convolution it replaces, alike in NumPy and torch, one clip at a time."""

import numpy as np
import pytest
import torch
from phalar_peer import convolved_constant_q, dense_kernels

from cocola_metric.encoder.constant_q import (
    FRAMES_AT_ONCE,
    HOP_LENGTH,
    MARGIN,
    constant_q,
    unit_decibels,
)
from cocola_metric.encoder.front_end_modules import FrontEndModule

FRONT_END = FrontEndModule("cqt")
MAGNITUDE_TOLERANCE = 1e-5  # relative to the loudest cell; the convolution's own rounding is a third of it
FEATURE_TOLERANCE = 1e-3  # from audio; features span 0..1, where one step of 16 bits is a rounding of 80 dB
LIBRARY_TOLERANCE = 1e-4  # between the FFTs of NumPy and torch, for noise


def convolved(clip: torch.Tensor) -> torch.Tensor:
    """The transform as the original computes it: (L,) -> (R, F)."""
    return convolved_constant_q(clip[None], dense_kernels())[0]


def noise(seconds: float, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(1, round(seconds * 16_000), generator=generator)


@pytest.mark.parametrize("seconds", [1.2, 2.0, 5.0])
def test_the_fast_transform_is_the_convolution(seconds: float) -> None:
    clip = noise(seconds)
    clip += torch.sin(2 * torch.pi * 220 / 16_000 * torch.arange(clip.shape[1]))
    expected = convolved(clip[0])
    for found in (constant_q(clip)[0], torch.from_numpy(constant_q(clip.numpy())[0])):
        assert found.shape == expected.shape
        assert (found - expected).abs().max() < MAGNITUDE_TOLERANCE * expected.max()


def test_a_long_clip_goes_in_pieces() -> None:
    clip = noise(11.0)
    whole, start = constant_q(clip), constant_q(clip[:, : 16_000 * 9])
    assert whole.shape == (1, 96, 1101) and whole.shape[-1] > FRAMES_AT_ONCE
    heard = start.shape[-1] - MARGIN // HOP_LENGTH - 1  # before the mirrored end
    assert torch.allclose(whole[..., :heard], start[..., :heard], atol=MAGNITUDE_TOLERANCE * float(whole.max()))
    assert torch.allclose(
        whole[0, :, -100:], convolved(clip[0])[:, -100:], atol=MAGNITUDE_TOLERANCE * float(whole.max())
    )


def test_a_semitone_is_a_row() -> None:
    pitch = 16.35 * 2 ** (45 / 12)
    clip = torch.sin(2 * torch.pi * pitch / 16_000 * torch.arange(80_000))[None]
    assert constant_q(clip)[0, :, 250].argmax() == 45


def test_numpy_and_torch_hear_alike() -> None:
    clip = noise(3.0)
    features = FRONT_END(clip)
    assert features.shape == (1, 1, 96, 301)
    assert np.abs(unit_decibels(constant_q(clip.numpy())) - features[:, 0].numpy()).max() < LIBRARY_TOLERANCE


def test_a_clip_does_not_depend_on_its_neighbours() -> None:
    loud, quiet = noise(2.0), 1e-3 * noise(2.0, seed=1)
    assert torch.equal(FRONT_END(torch.cat([loud, quiet]))[1:], FRONT_END(quiet))


def test_levels() -> None:
    silence = FRONT_END(torch.zeros(1, 32_000))
    assert (silence == -1.5).all()  # -200 dB, as the original's floor of 1e-10 has it
    features = FRONT_END(noise(2.0))
    assert features.max() - features.min() <= 1
    louder = FRONT_END(10 * noise(2.0))
    assert torch.allclose(louder, features + 20 / 80, atol=1e-4)


def test_gradients_are_finite() -> None:
    with torch.inference_mode():
        FRONT_END(noise(1.2))  # what is kept from here must not stand in the way
    for clip in (noise(1.2), torch.zeros(1, 20_000)):
        clip.requires_grad_()
        FRONT_END(clip).sum().backward()
        assert clip.grad is not None and clip.grad.isfinite().all()


def test_features_of_the_original(parity_2026) -> None:
    vectors = parity_2026("phalar")
    assert (FRONT_END(vectors.waveforms) - vectors.tensor("features")).abs().max() < FEATURE_TOLERANCE
