"""The signature changes when the score can, and at nothing else."""

import dataclasses
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cocola_metric import CocolaScorer
from cocola_metric.checkpoints import loading
from cocola_metric.checkpoints.loading import CONFIG_FILE, EMBEDDED_FOLDER
from cocola_metric.encoder.front_ends import FRONT_ENDS
from cocola_metric.encoder.model import CocolaModel, EncoderConfig
from cocola_metric.errors import CheckpointError
from cocola_metric.signature import score_recipe, signature

RATE = 16_000
TOLERANCE = 1e-4  # of scores: more than rounding, less than any change of recipe


@pytest.fixture(scope="module")
def pairs() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Two pairs of 6 s, with tones that come and go."""
    time = torch.arange(6 * RATE) / RATE
    generator = torch.Generator().manual_seed(0)
    clips = []
    for number in range(4):
        tone = torch.sin(2 * torch.pi * 110 * 2 ** (number / 5) * time) * ((time * (1 + number) / 2) % 1 < 0.5)
        clips.append((0.2 * tone + 0.02 * torch.randn(len(time), generator=generator))[None])
    return [(clips[0], clips[1]), (clips[2], clips[3])]


def scores_of(scorer: CocolaScorer, pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> list[float]:
    return scorer.score_pairs(*zip(*pairs, strict=True), sample_rate=RATE).tolist()


@pytest.fixture(scope="module")
def reference(pairs) -> tuple[str, list[float]]:
    """Signature and scores of the default recipe."""
    scorer = CocolaScorer.from_pretrained(device="cpu")
    return scorer.signature, scores_of(scorer, pairs)


def other_weights(folder: Path) -> Path:
    """The embedded encoder with one weight matrix scaled, under a name of its own."""
    model = loading.load("embedded").model
    with torch.no_grad():
        model.similarity.weight.mul_(1.01)
    loading.save(model, folder / "weights")
    return folder / "weights"


@pytest.mark.parametrize(
    ("settings", "piece"),
    [
        ({"mode": "harmonic"}, "mode:harmonic"),
        ({"mode": "percussive"}, "mode:percussive"),
        ({"window": 4.999}, "win:4.999"),
        ({"hop": 2.4}, "hop:2.4"),
        ({"name": other_weights}, "weights:"),
    ],
)
def test_what_changes_the_score_changes_the_signature(
    reference, pairs, tmp_path: Path, settings: dict[str, object], piece: str
) -> None:
    made = {key: value(tmp_path) if callable(value) else value for key, value in settings.items()}
    scorer = CocolaScorer.from_pretrained(**made, device="cpu")
    signature, scores = reference
    assert scores_of(scorer, pairs) != pytest.approx(scores, abs=TOLERANCE)
    assert scorer.signature != signature
    assert piece in scorer.signature
    recipes = (score_recipe(each).split("|") for each in (scorer.signature, signature))  # some have no reference
    changed = [new for new, old in zip(*recipes, strict=True) if new != old]
    assert len(changed) == 1 + ("name" in settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": 3},
        {"device": torch.device("cpu"), "window": 5},
    ],
    ids=str,
)
def test_what_leaves_the_score_alone_leaves_the_signature(reference, pairs, settings: dict[str, object]) -> None:
    scorer = CocolaScorer.from_pretrained(**{"device": "cpu"} | settings)
    assert scorer.signature == reference[0]
    assert scores_of(scorer, pairs) == pytest.approx(reference[1], abs=TOLERANCE)


def test_the_device_is_not_in_it(reference, pairs) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    scorer = CocolaScorer.from_pretrained(device="cuda")
    assert scorer.signature == reference[0]
    assert scores_of(scorer, pairs) == pytest.approx(reference[1], abs=1e-2)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="workers are counted another way on this system")
@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_workers_is_not_in_it(reference, pairs, workers: int, monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(workers)))
    scorer = CocolaScorer.from_pretrained(device="cpu")
    assert scorer.signature == reference[0]
    assert scores_of(scorer, pairs) == pytest.approx(reference[1], abs=TOLERANCE)


def test_the_order_is_not_in_it(reference, pairs) -> None:
    scorer = CocolaScorer.from_pretrained(device="cpu")
    assert scores_of(scorer, pairs[::-1])[::-1] == pytest.approx(reference[1], abs=TOLERANCE)
    assert scorer.signature == reference[0]


def test_settings_of_training_only_are_not_in_it(reference, pairs, tmp_path: Path) -> None:
    """Dropout and stochastic depth are in config.json; the score knows nothing of them."""
    folder = tmp_path / "embedded"
    shutil.copytree(EMBEDDED_FOLDER, folder)
    config = json.loads((folder / CONFIG_FILE).read_text())
    (folder / CONFIG_FILE).write_text(json.dumps(config | {"dropout": 0.5, "drop_connect": 0.5}))
    scorer = CocolaScorer.from_pretrained(folder, device="cpu")
    assert scorer.signature == reference[0]
    assert scores_of(scorer, pairs) == pytest.approx(reference[1], abs=TOLERANCE)


def test_every_other_field_of_the_configuration_needs_other_weights() -> None:
    """So the hash of the weights covers config.json, as far as it matters."""
    model = loading.load("embedded").model
    shapes = {key: tensor.shape for key, tensor in model.state_dict().items()}
    refused = {"backbone": "efficientnet_b0", "similarity": "cosine"}  # phasors need both
    others = {"embedding_dim": model.config.embedding_dim + 1, "head": "mlp"}
    free = {"dropout", "drop_connect"}
    known = {field.name for field in dataclasses.fields(model.config)}
    assert others.keys() | refused.keys() | free | {"front_end", "pooling"} == known
    for front_end in FRONT_ENDS.keys() - {model.config.front_end}:  # this backbone takes one alone
        with pytest.raises(CheckpointError, match="which front end"):
            dataclasses.replace(model.config, front_end=front_end)
    with pytest.raises(CheckpointError, match="needs the maps of backbone 'axial'"):
        dataclasses.replace(model.config, pooling="spectral")
    for field, value in refused.items():
        with pytest.raises(CheckpointError, match="cannot be combined"):
            dataclasses.replace(model.config, **{field: value})
    for field, value in others.items():
        other = type(model)(dataclasses.replace(model.config, **{field: value}))
        assert {key: tensor.shape for key, tensor in other.state_dict().items()} != shapes


@pytest.mark.parametrize(
    "place",
    [
        lambda folder: shutil.copytree(EMBEDDED_FOLDER, folder / "copy"),
        lambda folder: loading.save(loading.load("embedded").model, folder / "embedded") or folder / "embedded",
    ],
    ids=["another name", "the same weights in float32"],
)
def test_names_and_files_count_even_if_the_numbers_are_the_same(
    reference, pairs, tmp_path: Path, place: Callable[[Path], Path]
) -> None:
    """The other direction is not promised: a name says what a reader must get, a hash which file it was."""
    scorer = CocolaScorer.from_pretrained(place(tmp_path), device="cpu")
    assert scores_of(scorer, pairs) == pytest.approx(reference[1], abs=TOLERANCE)
    assert scorer.signature != reference[0]


def test_signatures_are_equal_only_if_everything_is() -> None:
    base = {
        "model": "a",
        "weights_sha256": "0" * 64,
        "mode": "both",
        "window": 5.0,
        "hop": 2.5,
        "sample_rate": RATE,
        "front_end": "",
    }
    others = {
        "model": ["b", "A", "a|weights:1", "a|", "a%7C", "", "a\n", "a\\n", "\ud800"],
        "weights_sha256": ["0" * 7 + "1" + "0" * 56],
        "mode": ["harmonic", "percussive"],
        "window": [5 + 1 / RATE, 2.5],
        "hop": [2.5 - 1 / RATE, 5.0],
        "sample_rate": [24_000],
        "front_end": ["mel", "hps"],
    }
    assert base.keys() == others.keys()
    made = [signature(**base)] + [
        signature(**base | {key: value}) for key, values in others.items() for value in values
    ]
    assert len(set(made)) == len(made)
    assert all(one.isprintable() and one.count("|") == 7 + ("|front:" in one) for one in made)
    shuffled = random.Random(0).sample(sorted(base), len(base))
    assert signature(**{key: base[key] for key in shuffled}) == made[0]


def test_the_front_end_is_named_where_the_weights_fit_several() -> None:
    for front_end in ("hps", "mel", "pitch_onset"):
        scorer = CocolaScorer(CocolaModel(EncoderConfig(front_end=front_end)), device="cpu")
        assert f"|front:{front_end}|" in scorer.signature
    assert "|front:" not in CocolaScorer.from_pretrained(device="cpu").signature


def test_a_folder_without_a_name_is_called_by_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(EMBEDDED_FOLDER, tmp_path / "a|weights:00000000")
    monkeypatch.chdir(tmp_path / "a|weights:00000000")
    assert (
        "|model:a%7Cweights%3A00000000|weights:8e663e66|" in CocolaScorer.from_pretrained(".", device="cpu").signature
    )


def test_the_representation_of_a_scorer_is_its_signature() -> None:
    scorer = CocolaScorer.from_pretrained()
    assert repr(scorer) == scorer.signature
