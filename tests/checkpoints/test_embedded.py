"""The embedded encoder: whole, small, and better than chance on recorded songs that it never saw."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from cocola_metric import CocolaScorer
from cocola_metric.audio import mix_stems, read_audio
from cocola_metric.checkpoints import loading
from cocola_metric.encoder.model import fold_batch_norm
from cocola_metric.training.corpora.registry import index_stem_folder
from cocola_metric.training.evaluation.classification import accuracy_with_interval, wins_of_two
from cocola_metric.training.evaluation.encoders import sides_of
from cocola_metric.training.evaluation.evaluate import embed_submixes
from cocola_metric.training.signal.transforms import transpose

DEMO = Path(__file__).parents[2] / "examples" / "demo.py"
BETTER_THAN_BY_HAND = 88.0  # percent, of hand-made cues; the encoder had 92.3
BETTER_THAN_CHANCE = 65.0  # percent, of twelve seconds of four songs; the encoder had 73.8


def test_the_demo_prints_its_matrix(capsys) -> None:
    runpy.run_path(str(DEMO), run_name="__main__")
    printed = capsys.readouterr().out
    assert "accuracy (Eq. 8, K = 4)" in printed and "COCOLA|model:embedded|" in printed


def test_the_example_songs_are_told_apart() -> None:
    demo = runpy.run_path(str(DEMO))
    conditionings, accompaniments = zip(*map(demo["stems"], demo["SONGS"]), strict=True)
    scores = CocolaScorer.from_pretrained().similarity_matrix(conditionings, accompaniments)
    mismatched = scores[~np.eye(len(scores), dtype=bool)]
    assert scores.diagonal().mean() > mismatched.mean() + 3 * mismatched.std()
    assert (scores.diagonal() >= scores.max(axis=1)).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*encoder.s delay:cocola_metric.audio.limits.AudioWarning")  # MP3 without a tag
def test_recorded_songs_are_told_apart(recorded) -> None:
    tracks = index_stem_folder(recorded)
    model = fold_batch_norm(loading.load("embedded").model)
    submixes = embed_submixes(model, tracks)
    result = accuracy_with_interval(
        wins_of_two(*sides_of(model, *submixes.sides.unbind(1)), submixes.track), submixes.track
    )
    whole = len(tracks) == 12
    assert result.percent > (BETTER_THAN_BY_HAND if whole else BETTER_THAN_CHANCE)
    assert result.tracks == len(tracks) == (12 if whole else 4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::cocola_metric.audio.limits.AudioWarning")  # stems that end early
def test_every_recorded_stem_can_be_scored(recorded) -> None:
    """Ogg and MP3, mono and stereo, 32 to 48 kHz, sparse and dense: each song's first stem with all its others."""
    scorer = CocolaScorer.from_pretrained(hop=5.0)
    for track in index_stem_folder(recorded)[:4]:
        first, *others = (list(stem.files) for stem in track.stems)
        scores = scorer.similarity_matrix([first], others)
        assert scores.shape == (1, len(others))
        assert np.isfinite(scores).any()


def test_the_weights_are_small_and_whole() -> None:
    folder = loading.EMBEDDED_FOLDER
    assert (folder / loading.WEIGHTS_FILE).stat().st_size < 13e6
    names = ["README.md", "config.json", "encoder.onnx", "model.safetensors", "reference.json"]
    assert sorted(file.name for file in folder.iterdir()) == names
    state = loading.load("embedded").model.state_dict()
    assert all(tensor.isfinite().all() for tensor in state.values() if tensor.is_floating_point())


def test_the_example_songs_are_heard_in_time_and_in_key() -> None:
    """What a semitone does to the sound is on both sides of the right pair, too."""
    demo = runpy.run_path(str(DEMO))
    scorer = CocolaScorer.from_pretrained()

    def score(left: torch.Tensor, right: torch.Tensor) -> float:
        return scorer.score(left, right, sample_rate=16_000)

    for song in demo["SONGS"]:
        stems, accompaniment = demo["stems"](song)
        music = torch.from_numpy(mix_stems([read_audio(file) for file in stems]))[None]
        part = torch.from_numpy(read_audio(accompaniment))[None]
        late = torch.nn.functional.pad(part, (4_800, 0))[:, : part.shape[1]]  # 0.3 s
        assert score(music, part) > score(music, late) + 1
        higher, lower = (transpose(music, step) for step in (0.5, -0.5))
        assert score(higher, transpose(part, 0.5)) > score(lower, transpose(part, 0.5)) + 3
