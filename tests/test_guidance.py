"""The score as something to climb: gradients to both waveforms, right, finite at silence, and of use."""

import copy
from pathlib import Path

import pytest
import torch

from cocola_metric.audio.inputs import read_audio
from cocola_metric.checkpoints import loading
from cocola_metric.encoder import MIN_SAMPLES, CocolaModel, EncoderConfig
from cocola_metric.errors import UsageError

EXAMPLES = Path(__file__).parents[1] / "examples"
RATE = 16_000
SLOPE_TOLERANCE = 1e-4  # relative, of a directional derivative in float64
STEPS = 3


@pytest.fixture(scope="module")
def models() -> dict[str, CocolaModel]:
    torch.manual_seed(0)
    return {kind: CocolaModel(EncoderConfig(front_end=kind)).eval().requires_grad_(False) for kind in ("mel", "hps")}


@pytest.fixture(scope="module")
def embedded() -> CocolaModel:
    return loading.load("embedded").model.requires_grad_(False)


@pytest.fixture(scope="module")
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Five seconds of an example song: drums with bass, and the keys that belong to them."""
    stems = [
        torch.from_numpy(read_audio(EXAMPLES / "harbour" / f"{stem}.flac"))[None] for stem in ("drums", "bass", "keys")
    ]
    drums, bass, keys = (stem[:, 2 * RATE : 7 * RATE] for stem in stems)
    return drums + bass, keys


def test_gradients_of_a_mel_model_are_right(models) -> None:
    """On noise, which is far from the floor of the decibels and from kinks; the network itself is smooth."""
    model = copy.deepcopy(models["mel"]).double()
    generator = torch.Generator().manual_seed(0)
    sides = [torch.randn(1, MIN_SAMPLES, dtype=torch.float64, generator=generator).requires_grad_() for _ in range(2)]
    assert torch.autograd.gradcheck(model, sides, fast_mode=True)


@pytest.mark.parametrize("mode", ["both", "harmonic", "percussive"])
def test_gradients_of_a_two_channel_model_are_right(models, mode: str) -> None:
    """Along directions and over a tiny step, as medians and maxima have kinks everywhere."""
    model = copy.deepcopy(models["hps"]).double()
    generator = torch.Generator().manual_seed(1)
    sides = torch.randn(2, 1, MIN_SAMPLES, dtype=torch.float64, generator=generator).requires_grad_()
    (gradient,) = torch.autograd.grad(model(*sides, mode).sum(), sides)
    for side in (0, 1):
        direction = torch.zeros_like(sides)
        direction[side] = gradient[side] / gradient[side].norm()
        step = 1e-7 * direction
        with torch.no_grad():
            slope = (model(*(sides + step), mode) - model(*(sides - step), mode)).sum() / 2e-7
        assert slope.item() == pytest.approx(gradient[side].norm().item(), rel=SLOPE_TOLERANCE)


def hard_waveforms() -> dict[str, torch.Tensor]:
    noise = 0.1 * torch.randn(1, 2 * RATE, generator=torch.Generator().manual_seed(0))
    time = torch.arange(2 * RATE)
    impulse = torch.zeros(1, 2 * RATE)
    impulse[0, RATE] = 1
    return {
        "silence": torch.zeros(1, 2 * RATE),
        "half silence": noise * (time > RATE),
        "impulse": impulse,
        "constant": torch.ones(1, 2 * RATE),
        "one bit": (noise.sign() / 32768),
        "fading into subnormal numbers": noise * torch.exp(-0.005 * time),
        "impulse among subnormal numbers": impulse + 1e-41 * noise,
        "far below the floor": 1e-18 * noise,
        "clipped": (100 * noise).clamp(-1, 1),
    }


@pytest.mark.parametrize("kind", ["mel", "hps"])
@pytest.mark.parametrize("waveform", [pytest.param(value, id=key) for key, value in hard_waveforms().items()])
def test_gradients_are_finite_everywhere(models, kind: str, waveform: torch.Tensor) -> None:
    sides = waveform.repeat(2, 1, 1).requires_grad_()
    score = models[kind](*sides)
    score.sum().backward()
    assert score.isfinite().all() and sides.grad.isfinite().all()


@pytest.mark.parametrize("kind", ["mel", "hps"])
def test_silence_has_no_gradient(models, kind: str) -> None:
    sides = torch.zeros(2, 1, RATE).requires_grad_()
    models[kind](*sides).sum().backward()
    assert not sides.grad.any()


def test_asking_for_gradients_changes_no_score(models, pair) -> None:
    for model in models.values():
        with torch.no_grad():
            expected = model(*pair)
        assert torch.equal(model(pair[0], pair[1].clone().requires_grad_()).detach(), expected)


def test_climbing_raises_the_score_of_a_noisy_stem(embedded, pair) -> None:
    """Steps of equal length along the gradient, 40 dB below full scale; the same steps elsewhere do not."""
    conditioning, stem = pair
    generator = torch.Generator().manual_seed(0)
    noisy = stem + 0.05 * torch.randn(stem.shape, generator=generator)
    climbed, strayed = noisy.clone(), noisy.clone()
    for _ in range(STEPS):
        climbed.requires_grad_()
        (gradient,) = torch.autograd.grad(embedded(conditioning, climbed).sum(), climbed)
        climbed = climbed.detach() + 0.002 * gradient / gradient.square().mean().sqrt()
        strayed = strayed + 0.002 * torch.randn(stem.shape, generator=generator)
    with torch.no_grad():
        before, after, elsewhere = (embedded(conditioning, sound).item() for sound in (noisy, climbed, strayed))
    assert after > before + 0.5
    assert abs(elsewhere - before) < 0.25 * (after - before)


def test_a_generator_learns_through_the_score(embedded, pair) -> None:
    """The gradient goes on to what made the waveform, and the encoder keeps its weights."""
    conditioning, stem = pair
    gain = torch.tensor([[0.5]], requires_grad=True)
    before = [parameter.clone() for parameter in embedded.parameters()]
    optimizer = torch.optim.SGD([gain], lr=1e-3)
    (-embedded(conditioning, gain * stem + 0.01 * conditioning)).mean().backward()
    assert gain.grad.isfinite().all() and gain.grad.any()
    optimizer.step()
    assert all(torch.equal(*same) for same in zip(before, embedded.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in embedded.parameters())


@pytest.mark.parametrize("kind", ["mel", "hps"])
def test_the_shortest_waveform(models, kind: str) -> None:
    shortest = 0.1 * torch.randn(1, MIN_SAMPLES, generator=torch.Generator().manual_seed(0))
    assert models[kind](shortest, shortest).isfinite().all()
    with pytest.raises(RuntimeError, match="Kernel size can't be greater than actual input size"):
        models[kind].encoder(shortest[:, 1:])


def test_batches_do_not_mix(embedded, pair) -> None:
    conditionings, stems = pair[0].repeat(2, 1), torch.stack([pair[1][0], pair[1][0].flip(0)]).requires_grad_()
    embedded(conditionings, stems)[0].backward()
    assert stems.grad[0].any() and not stems.grad[1].any()


@pytest.mark.parametrize(
    ("kind", "shapes", "mode", "message"),
    [
        ("hps", ((80_000,), (80_000,)), "both", r"pass \(batch, samples\) twice"),
        ("hps", ((1, 2, 8000), (1, 2, 8000)), "both", r"pass \(batch, samples\) twice"),
        ("hps", ((2, 8000), (1, 8000)), "both", "of one batch size"),
        ("mel", ((1, MIN_SAMPLES - 1), (1, 8000)), "both", "at least 4960 samples"),
        (
            "hps",
            ((1, 8000), (1, 8000)),
            "loud",
            "mode must be one of both, harmonic, percussive for this model; got 'loud'",
        ),
        ("mel", ((1, 8000), (1, 8000)), "harmonic", "mode must be one of both for this model; got 'harmonic'"),
    ],
)
def test_wrong_use_is_explained(models, kind: str, shapes, mode: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        models[kind](*(torch.zeros(shape) for shape in shapes), mode)
