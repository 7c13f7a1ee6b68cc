"""The scorer: one number for two audios, the same however it is asked for."""

import gc
import itertools
import math
import pickle
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from cocola_metric import CocolaScorer, __version__, checkpoints
from cocola_metric.audio.inputs import read_audio
from cocola_metric.audio.limits import AudioWarning
from cocola_metric.audio.windows import split_windows
from cocola_metric.checkpoints.loading import EMBEDDED_FOLDER, WEIGHTS_FILE, file_sha256, load
from cocola_metric.errors import AudioError, CheckpointError, UsageError
from cocola_metric.signature import score_recipe

TOLERANCE = 1e-4  # of scores, between batch sizes and ways of asking
ROUNDING = 1e-5  # of the same computation: where memory lies decides how vectors are cut
RATE = 16_000
pytestmark = pytest.mark.filterwarnings("ignore::cocola_metric.audio.limits.AudioWarning")  # clips of uneven length


@pytest.fixture(scope="module")
def scorer() -> CocolaScorer:
    return CocolaScorer.from_pretrained(device="cpu")


@pytest.fixture(scope="module")
def clips() -> list[torch.Tensor]:
    """Four clips of 6, 8, 8 and 11 s: tones and clicks of different keys and tempi."""
    clips = []
    for number, seconds in enumerate((6, 8, 8, 11)):
        time = torch.arange(seconds * RATE) / RATE
        tone = 0.2 * torch.sin(2 * math.pi * 110 * 2 ** (number / 5) * time)
        clicks = 0.1 * torch.randn(len(time), generator=torch.Generator().manual_seed(number))
        clips.append((tone + clicks * ((time * (1.5 + number)) % 1 < 0.05))[None])
    return clips


def test_the_score_is_the_mean_of_the_window_scores(scorer, clips) -> None:
    scores = scorer.score_windows(clips[1], clips[3], sample_rate=RATE)
    assert scores.starts == (0.0, 2.5, 5.0)  # of the common 8 s
    assert scores.mean == pytest.approx(sum(scores.scores) / 3, abs=TOLERANCE)
    assert scores.silent_windows == 0
    again = scorer.score(clips[1], clips[3], sample_rate=RATE)
    assert again == pytest.approx(scores.mean, abs=ROUNDING)


def test_the_score_is_equation_4_on_windows(scorer, clips) -> None:
    """The slow truth: the plain, unfolded model on each window, one at a time."""
    model = load("embedded").model
    windows = [split_windows(clip[0, : 8 * RATE]) for clip in clips[1:3]]
    with torch.inference_mode():
        expected = torch.stack([model(*(w[None] for w in pair)) for pair in zip(*windows, strict=True)]).mean()
    assert scorer.score(clips[1], clips[2], sample_rate=RATE) == pytest.approx(expected.item(), abs=1e-3)


def test_pairs_are_the_diagonal_of_the_matrix(scorer, clips) -> None:
    matrix = scorer.similarity_matrix(clips, clips[::-1], sample_rate=RATE)
    assert matrix.shape == (4, 4)
    assert np.allclose(scorer.score_pairs(clips, clips[::-1], sample_rate=RATE), matrix.diagonal(), atol=TOLERANCE)
    for row, column in itertools.product(range(4), repeat=2):
        alone = scorer.score(clips[row], clips[3 - column], sample_rate=RATE)
        assert matrix[row, column].item() == pytest.approx(alone, abs=TOLERANCE)


@pytest.mark.parametrize("seconds", [5.6, 7.0, 7.6, 10.2])
def test_only_the_common_part_is_scored(scorer, clips, seconds: float) -> None:
    cut = clips[3][:, : round(seconds * RATE)]
    expected = scorer.score(clips[1][:, : cut.shape[1]], cut[:, : clips[1].shape[1]], sample_rate=RATE)
    assert scorer.score(clips[1], cut, sample_rate=RATE) == pytest.approx(expected, abs=TOLERANCE)


def test_uneven_lengths_are_warned_of_once(scorer, clips) -> None:
    with pytest.warns(AudioWarning, match=r"4 of 4 pairs differ in length, by up to 3\.00 s; only the common part"):
        scorer.similarity_matrix(clips[:1] + clips[3:], clips[1:3], sample_rate=RATE)
    with warnings.catch_warnings():
        warnings.simplefilter("error", AudioWarning)
        scorer.score(clips[1], clips[2][:, :-1000], sample_rate=RATE)  # 0.06 s


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_the_batch_size_does_not_matter(scorer, clips, batch_size: int) -> None:
    other = CocolaScorer.from_pretrained(device="cpu", batch_size=batch_size)
    expected = scorer.similarity_matrix(clips, clips, sample_rate=RATE)
    assert np.allclose(other.similarity_matrix(clips, clips, sample_rate=RATE), expected, atol=TOLERANCE)


def test_the_order_of_pairs_does_not_matter(scorer, clips) -> None:
    order = [2, 0, 3, 1]
    forward = scorer.score_pairs(clips, clips[::-1], sample_rate=RATE)
    shuffled = scorer.score_pairs([clips[i] for i in order], [clips[::-1][i] for i in order], sample_rate=RATE)
    assert np.allclose(forward[order], shuffled, atol=TOLERANCE)


def test_the_arguments_are_not_symmetric(scorer, clips) -> None:
    first, second = clips[1:3]
    assert scorer.score(first, second, sample_rate=RATE) != scorer.score(second, first, sample_rate=RATE)


def test_every_audio_is_embedded_once(scorer, clips, monkeypatch) -> None:
    embedded = []
    pieces = scorer._embedder.pieces
    monkeypatch.setattr(scorer._embedder, "pieces", lambda request: embedded.append(request) or pieces(request))
    scorer.similarity_matrix(clips, clips[:3], sample_rate=RATE)
    assert len(embedded) == 4
    scorer.rank(clips[0], [*clips[1:], clips[1]], sample_rate=RATE)
    assert len(embedded) == 8


def test_ranking_is_by_falling_score(scorer, clips) -> None:
    ranked = scorer.rank(clips[0], clips[1:], sample_rate=RATE)
    assert sorted(entry.index for entry in ranked) == [0, 1, 2]
    assert [entry.score for entry in ranked] == sorted((entry.score for entry in ranked), reverse=True)
    best = ranked[0]
    alone = scorer.score(clips[0], clips[1 + best.index], sample_rate=RATE)
    assert best.score == pytest.approx(alone, abs=TOLERANCE)


def test_accuracy_is_equation_8(scorer, clips) -> None:
    matrix = scorer.similarity_matrix(clips, clips, sample_rate=RATE)
    expected = (matrix.argmax(1) == np.arange(4)).mean()
    assert scorer.accuracy(clips, clips, sample_rate=RATE) == pytest.approx(expected)


def test_accuracy_in_batches_is_the_mean_over_batches(scorer, clips) -> None:
    others = [clips[0], clips[1], clips[3], clips[2]]
    expected = [scorer.accuracy(clips[part], others[part], sample_rate=RATE) for part in (slice(0, 2), slice(2, 4))]
    assert scorer.accuracy(clips, others, sample_rate=RATE, batch_size=2) == pytest.approx(sum(expected) / 2)
    first_three = scorer.accuracy(clips[:3], others[:3], sample_rate=RATE)
    assert scorer.accuracy(clips, others, sample_rate=RATE, batch_size=3) == pytest.approx(first_three)
    assert scorer.accuracy([clips[0]] * 4, [clips[1]] * 4, sample_rate=RATE, batch_size=2) == 0  # a tie is not a win
    for size in (0, 5):
        with pytest.raises(UsageError, match=f"batch_size must be 1 to 4, the number of pairs; got {size}"):
            scorer.accuracy(clips, others, sample_rate=RATE, batch_size=size)


def test_a_symmetric_score_is_the_mean_of_both_directions(scorer, clips) -> None:
    both = CocolaScorer.from_pretrained(device="cpu", symmetric=True)
    there, back = (scorer.score(*pair, sample_rate=RATE) for pair in ((clips[1], clips[3]), (clips[3], clips[1])))
    found = both.score(clips[1], clips[3], sample_rate=RATE)
    assert abs(there - back) > 100 * TOLERANCE
    assert found == pytest.approx((there + back) / 2, abs=TOLERANCE)
    assert both.score(clips[3], clips[1], sample_rate=RATE) == pytest.approx(found, abs=TOLERANCE)
    matrix = both.similarity_matrix([clips[1]], [clips[3]], sample_rate=RATE)
    assert float(matrix[0, 0]) == pytest.approx(found, abs=TOLERANCE)
    assert both.signature == scorer.signature.replace("|mode:both|", "|mode:both|symmetric:yes|")


def test_embeddings(scorer, clips) -> None:
    embeddings = scorer.embed(clips[3], sample_rate=RATE)
    assert embeddings.shape == (4, 3490)  # 0, 2.5, 5 and, with 3.5 s of audio, 7.5 s
    assert np.abs(embeddings).max() <= 1


def test_silent_windows_have_no_score(scorer, clips) -> None:
    half_silent = torch.cat([torch.zeros(1, 5 * RATE), clips[1][:, : 5 * RATE]], dim=1)
    scores = scorer.score_windows(half_silent, clips[3], sample_rate=RATE)
    assert [math.isnan(value) for value in scores.scores] == [True, False, False]
    assert scores.silent_windows == 1
    assert scores.mean == pytest.approx(sum(scores.scores[1:]) / 2, abs=TOLERANCE)


def test_nothing_but_silence(scorer, clips) -> None:
    silence = torch.zeros(1, 6 * RATE)
    with pytest.raises(AudioError, match="in every window one side is silent"):
        scorer.score(silence, clips[0], sample_rate=RATE)
    with pytest.warns(AudioWarning, match="1 of 2 pairs have no window with sound on both sides"):
        scores = scorer.score_pairs([silence, clips[0]], [clips[0], clips[0]], sample_rate=RATE)
    assert np.isnan(scores).tolist() == [True, False]
    ranked = scorer.rank(clips[0], [silence, clips[0]], sample_rate=RATE)
    assert ranked[-1].index == 0 and math.isnan(ranked[-1].score)


def test_files_stems_and_tensors_agree(scorer, clips, tmp_path: Path) -> None:
    stems = [clips[1], clips[2]]
    for number, stem in enumerate(stems):
        soundfile.write(tmp_path / f"{number}.wav", stem[0].numpy(), RATE, subtype="FLOAT")
    paths = [tmp_path / "0.wav", str(tmp_path / "1.wav")]
    from_tensors = scorer.score(stems[0] + stems[1], clips[3], sample_rate=RATE)
    assert scorer.score(paths, clips[3], sample_rate=RATE) == pytest.approx(from_tensors, abs=TOLERANCE)
    array = (stems[0] + stems[1]).numpy().astype(np.float64)
    assert scorer.score(array, clips[3], sample_rate=RATE) == pytest.approx(from_tensors, abs=TOLERANCE)


def test_other_rates_are_resampled(scorer, data: Path) -> None:
    stereo_44k, mono_16k = data / "accompaniment.flac", read_audio(data / "accompaniment.flac")
    expected = scorer.score(data / "conditioning.flac", mono_16k, sample_rate=RATE)
    assert scorer.score(data / "conditioning.flac", stereo_44k) == pytest.approx(expected, abs=TOLERANCE)


def test_a_bad_file_is_named(scorer, clips, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"missing\.wav does not exist"):
        scorer.score_pairs([clips[0], clips[0]], [clips[0], tmp_path / "missing.wav"], sample_rate=RATE)
    results = list(scorer.iter_scores([(clips[0], tmp_path / "missing.wav"), (clips[0], clips[0])], sample_rate=RATE))
    assert isinstance(results[0], AudioError) and not isinstance(results[1], AudioError)


def test_an_iterator_may_be_left_unfinished(scorer, clips) -> None:
    """Even inside a reference cycle, which is collected in whatever thread comes by."""
    results = scorer.iter_scores([(clips[0], clip) for clip in clips], sample_rate=RATE)
    cycle = [results]
    cycle.append(cycle)
    assert math.isfinite(next(results).mean)
    del results, cycle
    collector = threading.Thread(target=gc.collect)
    collector.start()
    collector.join()
    assert math.isfinite(scorer.score(clips[0], clips[1], sample_rate=RATE))


def test_the_callers_settings_are_left_alone(scorer, clips) -> None:
    before = torch.get_num_threads(), torch.is_grad_enabled(), torch.hub.get_dir(), clips[0].clone()
    torch.set_num_threads(2)
    try:
        with torch.enable_grad():
            scorer.score(clips[0], clips[1], sample_rate=RATE)
            assert torch.is_grad_enabled()
        assert torch.get_num_threads() == 2
        born_later: list[int] = []
        thread = threading.Thread(target=lambda: born_later.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert born_later == [2]
    finally:
        torch.set_num_threads(before[0])
    assert (torch.is_grad_enabled(), torch.hub.get_dir()) == before[1:3]
    assert torch.equal(clips[0], before[3])


def test_grad_mode_does_not_matter(scorer, clips) -> None:
    with torch.inference_mode():
        inside = scorer.score(clips[0], clips[1], sample_rate=RATE)
    outside = scorer.score(clips[0], clips[1].clone().requires_grad_(), sample_rate=RATE)
    assert inside == pytest.approx(outside, abs=ROUNDING)


def test_modes_hear_different_things(scorer, clips) -> None:
    scores = {
        mode: CocolaScorer.from_pretrained(device="cpu", mode=mode).score(clips[1], clips[2], sample_rate=RATE)
        for mode in ("harmonic", "percussive")
    } | {"both": scorer.score(clips[1], clips[2], sample_rate=RATE)}
    assert len({round(value, 3) for value in scores.values()}) == 3


def test_the_signature_says_what_changes_the_score(scorer) -> None:
    digest = file_sha256(EMBEDDED_FOLDER / WEIGHTS_FILE)[:8]
    reference = file_sha256(EMBEDDED_FOLDER / "reference.json")[:8]
    recipe = f"COCOLA|model:embedded|weights:{digest}|mode:both|win:5.0|hop:2.5|sr:16000"
    assert scorer.signature == f"{recipe}|ref:{reference}|v:{__version__}"
    assert score_recipe(scorer.signature) == f"{recipe}|v:{__version__}"
    assert CocolaScorer.from_pretrained(reference=None).signature == f"{recipe}|v:{__version__}"
    other = CocolaScorer.from_pretrained(device="cpu", mode="harmonic", window=4.0, hop=1.0, batch_size=2)
    assert "|mode:harmonic|win:4.0|hop:1.0|" in other.signature


def test_wrong_use_is_explained(scorer, clips, parity) -> None:
    with pytest.raises(UsageError, match="2 conditionings and 1 accompaniments make no pairs"):
        scorer.score_pairs(clips[:2], clips[:1], sample_rate=RATE)
    with pytest.raises(UsageError, match="there are no pairs to compute an accuracy of"):
        scorer.accuracy([], [])
    with pytest.raises(UsageError, match="mode must be one of both, harmonic, percussive; got 'loud'"):
        CocolaScorer.from_pretrained(mode="loud")
    with pytest.raises(UsageError, match=r"window must be 0\.31 s or more for this encoder; got 0\.2"):
        CocolaScorer.from_pretrained(window=0.2)
    with pytest.raises(UsageError, match=r"hop must be .* s or more; got 0"):
        CocolaScorer.from_pretrained(hop=0)
    with pytest.raises(UsageError, match="needs a two-channel model"):
        CocolaScorer.from_pretrained(parity("mel").checkpoint, mode="harmonic")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("all", r"all: the authors publish it on a file-sharing site"),
        ("someone/cocola", r"someone/cocola \(revision main\) on .*offline mode is on"),
    ],
)
def test_checkpoints_that_cannot_be_had(name: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        CocolaScorer.from_pretrained(name)


def test_a_revision_needs_a_hub_repository() -> None:
    with pytest.raises(CheckpointError, match="revision is only for Hub repositories"):
        CocolaScorer.from_pretrained(revision="main")


def test_original_checkpoints_give_the_original_scores(parity) -> None:
    vectors = parity("hps")
    original = CocolaScorer.from_pretrained(vectors.checkpoint, device="cpu")
    row, column = vectors.names.index("s0_cond"), vectors.names.index("s0_acc")
    score = original.score(vectors.clips["s0_cond"], vectors.clips["s0_acc"])
    assert score == pytest.approx(vectors.cross_scores["both"][row, column].item(), abs=2e-2)


def test_matrix_without_rows(scorer, clips) -> None:
    assert scorer.similarity_matrix([], clips, sample_rate=RATE).shape == (0, 4)


def test_an_encoder_without_torch_can_be_sent_to_another_process() -> None:
    """Ray sends a scorer to its workers; there, a session is made anew."""
    encoder = checkpoints.open_graph(checkpoints.find_encoder("embedded")).encoder
    sent = pickle.loads(pickle.dumps(encoder))
    windows = np.random.default_rng(0).normal(0, 0.1, (2, 80_000)).astype(np.float32)
    for here, there in zip(encoder(windows), sent(windows), strict=True):
        assert np.array_equal(here, there)


def test_a_scorer_can_be_sent_to_another_process(tmp_path: Path) -> None:
    scorer = CocolaScorer.from_pretrained(device="cpu", cache=tmp_path)
    sent = pickle.loads(pickle.dumps(scorer))
    sound = np.random.default_rng(0).standard_normal((2, 80_000)).astype(np.float32)
    assert sent.score(*sound, sample_rate=16_000) == scorer.score(*sound, sample_rate=16_000)
    sent.save_pretrained(tmp_path / "folder")
    assert sent.signature == scorer.signature
