"""Phasors: a joint delay or transposition changes no similarity, a relative one does."""

import copy

import pytest
import torch
from torch import Tensor

from cocola_metric.encoder.model import CocolaModel, EncoderConfig, fold_batch_norm
from cocola_metric.encoder.noise_verdict import PENALTY
from cocola_metric.encoder.phasor_sizes import NARROW, WIDE
from cocola_metric.encoder.phasors import (
    PhasorForm,
    PhasorSimilarity,
    PitchPhasors,
    TimePhasors,
    turn_embeddings,
    unit,
)
from cocola_metric.errors import CheckpointError

MOVING_TOLERANCE = 1e-4
FOLDING_TOLERANCE = 2e-4
REAL_WIDTH = 64
TIME, PITCH = NARROW.time, NARROW.pitch
PHASORS = EncoderConfig(
    front_end="pitch_onset",
    backbone="phasor_efficientnet_b0",
    similarity="phasors",
    embedding_dim=REAL_WIDTH + TIME.width + PITCH.width,
)


@pytest.fixture(scope="module")
def model() -> CocolaModel:
    torch.manual_seed(0)
    model = CocolaModel(PHASORS)
    images = model.encoder.front_end(0.1 * torch.randn(8, 32_000))
    model.train()
    for _ in range(3):  # statistics unlike those of a new network
        model.encoder.embed_features(images)
    return model.eval().requires_grad_(False)


def random_form(group, *, mixed: bool = False) -> PhasorForm:
    torch.manual_seed(1)
    form = PhasorForm(group, mixed=mixed).requires_grad_(False)
    form.weight.copy_(torch.randn_like(form.weight) / form.shape[2] ** 0.5)
    return form


def similarity(form: PhasorForm, first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> float:
    left, right = (unit(torch.cat([part.flatten(1) for part in side], 1)) for side in (first, second))
    return float((form(left) * right).sum())


def movements(form: PhasorForm, series, first: Tensor, second: Tensor, steps: int, dim: int) -> tuple[float, float]:
    """By how much the similarity changes when both sides move on by so many steps, and when the second alone does."""
    before = similarity(form, series(first), series(second))
    moved = second.roll(steps, dim)
    together = similarity(form, series(first.roll(steps, dim)), series(moved))
    return abs(together - before), abs(similarity(form, series(first), series(moved)) - before)


@pytest.mark.parametrize("steps", [1, 3, 40])
def test_a_joint_delay_changes_nothing_and_a_relative_one_does(steps: int) -> None:
    torch.manual_seed(0)
    phasors = TimePhasors()
    sides = torch.randn(2, 1, TIME.channels, 125)  # 10 s at 80 ms: all frequencies are periods of it
    together, alone = movements(random_form(TIME), lambda side: phasors.series(side, 0.08), *sides, steps, -1)
    assert together < MOVING_TOLERANCE and alone > 100 * MOVING_TOLERANCE


@pytest.mark.parametrize(("semitones", "dim"), [(1, 2), (5, 2), (12 + 4, 2), (25, 3)])
def test_a_joint_transposition_or_delay_changes_nothing_and_a_relative_one_does(semitones: int, dim: int) -> None:
    torch.manual_seed(0)
    phasors = PitchPhasors()
    sides = torch.randn(2, 1, PITCH.channels, 120, 125)  # 5 octaves, 20 s at 160 ms
    steps = 2 * semitones if dim == 2 else semitones
    together, alone = movements(random_form(PITCH), phasors.series, *sides, steps, dim)
    assert together < MOVING_TOLERANCE and alone > 100 * MOVING_TOLERANCE


def test_an_octave_is_no_transposition() -> None:
    torch.manual_seed(0)
    sides = torch.randn(2, 1, PITCH.channels, 120, 125)
    _, alone = movements(random_form(PITCH), PitchPhasors().series, *sides, 24, 2)
    assert alone < MOVING_TOLERANCE


def test_turned_phasors_are_those_of_what_moved() -> None:
    torch.manual_seed(0)
    channels, saliences = torch.randn(1, TIME.channels, 125), torch.randn(1, PITCH.channels, 120, 125)

    def over_time(side: Tensor) -> Tensor:
        return torch.cat([part.flatten(1) for part in TimePhasors().series(side, 0.08)], 1)

    def over_pitch(side: Tensor) -> Tensor:
        return torch.cat([part.flatten(1) for part in PitchPhasors().series(side)], 1)

    embedding = torch.cat([torch.ones(1, 4), over_time(channels), over_pitch(saliences)], 1)
    moved = torch.cat(
        [torch.ones(1, 4), over_time(channels.roll(4, -1)), over_pitch(saliences.roll((8, 2), (2, 3)))], 1
    )
    assert torch.allclose(turn_embeddings(embedding, torch.tensor([0.32]), torch.tensor([4.0])), moved, atol=1e-5)


def test_saliences_know_no_row_of_their_own() -> None:
    """From images to phasors: the tones of both sides a third higher, away from the edges of the image."""
    torch.manual_seed(0)
    module = PitchPhasors().eval().requires_grad_(False)
    images = torch.full((2, 2, 128, 251), -80.0)
    images[:, 0, 52:76] = -80 * torch.rand(2, 24, 251)
    form = random_form(PITCH)

    def score(first: Tensor, second: Tensor) -> float:
        return float((form(module(first[None])) * module(second[None])).sum())

    higher = images.roll(8, dims=2)
    before = score(images[0], images[1])
    assert abs(score(higher[0], higher[1]) - before) < MOVING_TOLERANCE
    assert abs(score(images[0], higher[1]) - before) > 1e-2


def test_mixed_frequencies_give_up_the_invariance() -> None:
    torch.manual_seed(0)
    sides = torch.randn(2, 1, TIME.channels, 125)
    together, _ = movements(random_form(TIME, mixed=True), lambda side: TimePhasors().series(side, 0.08), *sides, 3, -1)
    assert together > 0.1


def test_the_form_is_the_real_part_of_the_complex_one() -> None:
    form = random_form(TIME)
    first, second = unit(torch.randn(2, TIME.width)).unflatten(-1, form.shape)
    x, y, weight = (torch.complex(part[0], part[1]) for part in (first, second, form.weight))
    expected = form.log_temperature.exp() * torch.einsum("kc,kcd,kd->", x.conj(), weight, y).real
    assert torch.isclose((form(first.flatten()) * second.flatten()).sum(), expected, atol=1e-5)


def test_the_embedding_is_a_real_part_and_two_unit_vectors(model: CocolaModel) -> None:
    embeddings = model.encoder(0.1 * torch.randn(2, 80_000))
    assert embeddings.shape == (2, PHASORS.embedding_dim)
    _, *phasors = embeddings.split([REAL_WIDTH, TIME.width, PITCH.width], dim=1)
    for part in phasors:
        assert torch.allclose(part.norm(dim=1), torch.ones(2), atol=1e-4)


def test_what_is_constant_has_no_phase(model: CocolaModel) -> None:
    assert unit(torch.zeros(3, 8)).abs().max() == 0
    assert model.encoder(torch.zeros(1, 80_000)).isfinite().all()


@pytest.mark.parametrize("samples", [4_960, 32_000, 160_000])
def test_windows_of_any_length(model: CocolaModel, samples: int) -> None:
    embeddings = model.encoder(0.1 * torch.randn(2, samples))
    assert embeddings.shape == (2, PHASORS.embedding_dim) and embeddings.isfinite().all()


def test_half_a_beat_turns_the_similarity(model: CocolaModel) -> None:
    """A new network has W = 1 for phasors: clicks are most alike when they fall together."""
    torch.manual_seed(1)
    clicks = 1e-3 * torch.randn(2, 80_000)
    clicks[:, ::8_000] += 1.0
    moved = clicks.roll(4_000, dims=1)
    real, time = REAL_WIDTH, REAL_WIDTH + TIME.width
    here, there, late = (model.encoder(side[:1])[0, real:time] for side in (clicks, clicks[1:], moved))
    assert (here * there).sum() > (here * late).sum() + 0.2


def test_the_percussive_mode_hears_no_key(model: CocolaModel) -> None:
    first, second = 0.1 * torch.randn(2, 80_000)
    pitch = [model.encoder(side[None], "percussive")[0, -PITCH.width :] for side in (first, second)]
    assert torch.equal(*pitch)


def test_folding_changes_nothing_but_speed(model: CocolaModel) -> None:
    waveforms = 0.1 * torch.randn(2, 32_000)
    folded = fold_batch_norm(copy.deepcopy(model))
    assert not [module for module in folded.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert (folded.encoder(waveforms) - model.encoder(waveforms)).abs().max() < FOLDING_TOLERANCE


def test_the_similarity_has_matrices_for_every_kind(model: CocolaModel) -> None:
    assert isinstance(model.similarity, PhasorSimilarity)
    shapes = {name: tuple(part.shape) for name, part in model.similarity.named_parameters() if "weight" in name}
    assert shapes == {
        "weight": (REAL_WIDTH, REAL_WIDTH),
        "forms.0.weight": (2, TIME.frequencies, TIME.channels, TIME.channels),
        "forms.1.weight": (2, PITCH.frequencies, PITCH.channels, PITCH.channels),
    }


def test_wide_phasors_turn_like_all_others() -> None:
    torch.manual_seed(0)
    time, pitch = TimePhasors(WIDE), PitchPhasors(WIDE)
    channels, saliences = torch.randn(2, 1, WIDE.time.channels, 125), torch.randn(2, 1, WIDE.pitch.channels, 120, 125)
    for group, series, sides, dim in (
        (WIDE.time, lambda side: time.series(side, 0.08), channels, -1),
        (WIDE.pitch, pitch.series, saliences, 2),
    ):
        together, alone = movements(random_form(group), series, *sides, 3, dim)
        assert together < MOVING_TOLERANCE and alone > 100 * MOVING_TOLERANCE
    model = CocolaModel(
        EncoderConfig(
            front_end="pitch_onset",
            backbone="placed_wide_phasor_efficientnet_b0",
            similarity="wide_phasors",
            embedding_dim=REAL_WIDTH + WIDE.time.width + WIDE.pitch.width,
        )
    ).eval()
    with torch.inference_mode():
        assert model.encoder(0.1 * torch.randn(2, 32_000)).isfinite().all()


def test_a_side_that_is_noise_takes_the_penalty_off() -> None:
    plain = PhasorSimilarity(REAL_WIDTH + TIME.width, [TIME])
    heard = PhasorSimilarity(REAL_WIDTH + 2 + TIME.width, [TIME], noise=True)
    heard.load_state_dict(heard.state_dict() | plain.state_dict())
    torch.manual_seed(0)
    sides = torch.randn(2, 3, REAL_WIDTH + TIME.width)
    verdicts = torch.stack([torch.ones(2, 3), torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])], dim=-1)
    judged = torch.cat([sides[..., :REAL_WIDTH], verdicts, sides[..., REAL_WIDTH:]], dim=-1)
    taken = plain.pairs(*sides) - heard.pairs(*judged)
    assert torch.allclose(taken, torch.tensor([0.0, 1.0, 2.0]) * PENALTY, atol=1e-4)


@pytest.mark.parametrize(
    ("backbone", "similarity"),
    [
        ("phasor_efficientnet_b0", "bilinear"),
        ("placed_wide_phasor_noise_efficientnet_b0", "wide_phasors"),
        ("placed_wide_phasor_efficientnet_b0", "wide_phasors_noise"),
        ("placed_efficientnet_b0", "phasors"),
        ("wide_phasor_efficientnet_b0", "phasors"),
        ("time_phasor_efficientnet_b0", "phasors"),
    ],
)
def test_phasors_need_both_a_backbone_and_a_similarity(backbone: str, similarity: str) -> None:
    with pytest.raises(CheckpointError, match="cannot be combined"):
        EncoderConfig(front_end="pitch_onset", backbone=backbone, similarity=similarity)


def test_what_is_wide_enough_for_phasors_alone_is_refused() -> None:
    with pytest.raises(CheckpointError, match="embedding_dim must be more than"):
        EncoderConfig(front_end="pitch_onset", backbone="phasor_efficientnet_b0", similarity="phasors")
