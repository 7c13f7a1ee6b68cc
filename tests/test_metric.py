"""The torchmetrics form of the score: the scorer's numbers, in loops, collections and several processes."""

import os
import pickle
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import torch

import cocola_metric
from cocola_metric import CocolaScorer, MissingExtraError
from cocola_metric.audio.limits import AudioWarning
from cocola_metric.errors import AudioError, CheckpointError, UsageError

torchmetrics = pytest.importorskip("torchmetrics", reason="needs the extra [torchmetrics]")
CocolaMetric = cocola_metric.CocolaMetric
metric_module = sys.modules["cocola_metric.metric"]

TOLERANCE = 1e-4  # of scores, between the scorer's batches and the metric's
RATE = 16_000
SECOND_PROCESS = """
import datetime, sys
import torch, torch.distributed
from cocola_metric import CocolaMetric

folder = sys.argv[1]
torch.distributed.init_process_group(
    "gloo", init_method=f"file://{folder}/rendezvous", rank=1, world_size=2, timeout=datetime.timedelta(seconds=60)
)
conditionings, accompaniments = torch.load(f"{folder}/pairs.pt", weights_only=True)
metric = CocolaMetric(hop=5.0)
metric.update(conditionings, accompaniments)
print(metric.compute().item(), (metric.score_sum / metric.scored_pairs).item(), int(metric.silent_pairs))
torch.distributed.destroy_process_group()
"""


@pytest.fixture(scope="module")
def metric() -> torchmetrics.Metric:
    return CocolaMetric(hop=5.0)


@pytest.fixture(autouse=True)
def start_afresh(metric) -> None:
    metric.reset()


@pytest.fixture(scope="module")
def scorer() -> CocolaScorer:
    return CocolaScorer.from_pretrained(device="cpu", hop=5.0)


@pytest.fixture(scope="module")
def pairs() -> torch.Tensor:
    """Five pairs of 5 s, (2, B, L): tones with clicks; in the last one the accompaniment is silent."""
    generator = torch.Generator().manual_seed(0)
    time = torch.arange(5 * RATE) / RATE
    tones = 0.2 * torch.sin(2 * torch.pi * 110 * 2 ** (torch.arange(10)[:, None] / 5) * time)
    clicks = 0.1 * torch.randn(10, len(time), generator=generator)
    sounds = tones + clicks * ((time * (1.5 + torch.arange(10)[:, None])) % 1 < 0.05)
    sounds[9] = 0
    return sounds.unflatten(0, (2, 5))


@pytest.fixture(scope="module")
def expected(scorer, pairs) -> torch.Tensor:
    """The scorer's scores of the pairs, (4,): the last pair has none."""
    sides = [[clip[None] for clip in side[:4]] for side in pairs]
    return torch.from_numpy(scorer.score_pairs(*sides, sample_rate=RATE))


def test_it_is_the_mean_of_the_scores(metric, pairs, expected) -> None:
    for first, last in ((0, 2), (2, 3), (3, 5)):
        metric.update(*pairs[:, first:last])
    assert metric.compute().shape == ()
    assert metric.compute().item() == pytest.approx(expected.mean().item(), abs=TOLERANCE)
    assert (int(metric.scored_pairs), int(metric.silent_pairs), int(metric.silent_windows)) == (4, 1, 1)
    metric.reset()
    assert (int(metric.scored_pairs), int(metric.silent_pairs), int(metric.silent_windows)) == (0, 0, 0)


def test_windows_channels_and_rates_are_as_in_the_scorer(scorer) -> None:
    """Eleven seconds of 24 kHz stereo, silent in their first window."""
    sounds = 0.1 * torch.randn(2, 1, 2, 11 * 24_000, generator=torch.Generator().manual_seed(0))
    sounds[1, :, :, : 5 * 24_000] = 0
    other = CocolaMetric(sample_rate=24_000)
    other.update(*sounds)
    scores = CocolaScorer.from_pretrained(device="cpu").score_windows(*sounds[:, 0], sample_rate=24_000)
    assert other.compute().item() == pytest.approx(scores.mean, abs=TOLERANCE)
    assert int(other.silent_windows) == scores.silent_windows == 1


def test_both_directions_are_averaged_where_asked(pairs) -> None:
    both_ways = CocolaMetric(hop=5.0, symmetric=True)
    both_ways.update(*pairs[:, :4])
    scorer = CocolaScorer.from_pretrained(device="cpu", hop=5.0, symmetric=True)
    scores = scorer.score_pairs(*[[clip[None] for clip in side[:4]] for side in pairs], sample_rate=RATE)
    assert both_ways.signature == scorer.signature and "symmetric:yes" in both_ways.signature
    assert both_ways.compute().item() == pytest.approx(scores.mean().item(), abs=TOLERANCE)
    forth = both_ways.compute().item()
    both_ways.reset()
    both_ways.update(*pairs[:, :4].flip(0))
    assert both_ways.compute().item() == pytest.approx(forth, abs=TOLERANCE)


def test_what_torchmetrics_asks_of_a_metric(metric) -> None:
    assert metric.higher_is_better and not metric.is_differentiable and not metric.full_state_update
    assert set(metric._reductions) == {
        "score_sum",
        "scored_pairs",
        "silent_windows",
        "silent_pairs",
        "unfit_pairs",
        "recipe",
    }
    reductions = {name: function.__name__ for name, function in metric._reductions.items()}
    assert reductions.pop("recipe") == "dim_zero_max"
    assert set(reductions.values()) == {"dim_zero_sum"}


def test_the_encoder_is_not_part_of_the_users_model(metric) -> None:
    model = torch.nn.ModuleDict({"generator": torch.nn.Linear(2, 2), "metric": metric})
    assert [key for key in model.state_dict() if not key.startswith("generator.")] == []
    assert sum(parameter.numel() for parameter in model.parameters()) == 6
    assert len(list(metric.buffers())) == 0 and len(list(metric.modules())) == 1


def test_a_lightning_like_loop(metric, pairs, expected) -> None:
    """Forward gives the batch's value and accumulates; modes, autocast and precision of the model do not matter."""
    model = torch.nn.ModuleDict({"metric": metric}).train().to(torch.bfloat16)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        first = model["metric"](*pairs[:, :2])
    model.eval()
    with torch.no_grad():
        second = model["metric"](*pairs[:, 2:4].double())
    assert first.item() == pytest.approx(expected[:2].mean().item(), abs=TOLERANCE)
    assert second.item() == pytest.approx(expected[2:].mean().item(), abs=TOLERANCE)
    assert metric.compute().item() == pytest.approx(expected.mean().item(), abs=TOLERANCE)
    trained = pairs[0, :1].clone().requires_grad_()
    assert not metric(trained, pairs[1, :1]).requires_grad
    assert metric.compute().dtype == torch.float32


def test_clones_and_pickles_go_on_by_themselves(metric, pairs, expected) -> None:
    metric.update(*pairs[:, :1])
    clone, pickled = metric.clone(), pickle.loads(pickle.dumps(metric))
    for other in (clone, pickled):
        other.update(*pairs[:, 1:2])
        assert other.compute().item() == pytest.approx(expected[:2].mean().item(), abs=TOLERANCE)
        assert other.signature == metric.signature
    assert int(metric.scored_pairs) == 1


def test_a_collection_keeps_recipes_apart(metric, pairs) -> None:
    """Even when all that the first batch holds is silence, so that all counts are the same."""
    harmonic = CocolaMetric(hop=5.0, mode="harmonic")
    collection = torchmetrics.MetricCollection(
        {"both": metric, "harmonic": harmonic, "mean": torchmetrics.MeanMetric()}
    )
    collection = torchmetrics.MetricCollection({"both": metric, "harmonic": harmonic})
    collection.update(conditioning=pairs[0, 4:], accompaniment=pairs[1, 4:])
    collection.update(conditioning=pairs[0, :1], accompaniment=pairs[1, :1])
    values = collection.compute()
    assert values["both"] != values["harmonic"]
    harmonic.reset()
    harmonic.update(*pairs[:, :1])
    assert values["harmonic"].item() == pytest.approx(harmonic.compute().item(), abs=TOLERANCE)


def test_it_follows_the_device(metric, pairs, expected) -> None:
    if not torch.cuda.is_available():
        assert metric.to("cpu").device == torch.device("cpu")
        pytest.skip("needs a GPU")
    moved = CocolaMetric(hop=5.0).to("cuda")
    moved.update(*pairs.cuda())
    assert moved.compute().device.type == "cuda"
    assert moved.compute().item() == pytest.approx(expected.mean().item(), abs=1e-2)
    moved.cpu().update(*pairs)
    assert moved.compute().item() == pytest.approx(expected.mean().item(), abs=1e-2)


def test_the_encoder_is_moved_before_it_is_used(metric) -> None:
    """Without a GPU: the meta device holds shapes only, and stands for any other device."""
    other = metric.clone().to("meta")
    assert other._model().encoder.projection.weight.device.type == "meta"
    assert metric._model().encoder.projection.weight.device.type == "cpu"


def test_two_processes_give_the_value_of_one(metric, pairs, expected, tmp_path: Path, monkeypatch) -> None:
    """This process scores three pairs, another one the fourth and the silent one; both learn the mean of four."""
    distributed = torch.distributed
    if not distributed.is_available() or not distributed.is_gloo_available():
        pytest.skip("this torch has no gloo")
    if sys.platform == "linux":
        monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    torch.save(pairs[:, 3:].clone(), tmp_path / "pairs.pt")
    command = [sys.executable, "-c", SECOND_PROCESS, tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        distributed.init_process_group(
            "gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=2, timeout=timedelta(seconds=60)
        )
        try:
            metric.update(*pairs[:, :3])
            together = metric.compute().item()
        finally:
            distributed.destroy_process_group()
        printed = [float(value) for value in other.communicate(timeout=60)[0].split()]
    assert other.returncode == 0
    assert together == pytest.approx(expected.mean().item(), abs=TOLERANCE)
    assert printed == pytest.approx([together, expected[3].item(), 1], abs=TOLERANCE)
    own = (metric.score_sum / metric.scored_pairs).item()
    assert own == pytest.approx(expected[:3].mean().item(), abs=TOLERANCE)


def test_all_work_has_one_thread_and_the_callers_are_left_alone(pairs, monkeypatch) -> None:
    other, used = CocolaMetric(sample_rate=24_000, window=2.0, hop=2.0), []

    def recorded(function):
        def run(*arguments, **options):
            used.append((function.__name__, torch.get_num_threads()))
            return function(*arguments, **options)

        return run

    for name in ("read_audio", "split_windows", "is_silent"):
        monkeypatch.setattr(metric_module, name, recorded(getattr(metric_module, name)))
    (model,) = other._models
    monkeypatch.setattr(model.encoder, "embed_features", recorded(model.encoder.embed_features))
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        other.update(*pairs[:, :1])
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert {name for name, _ in used} == {"read_audio", "split_windows", "is_silent", "embed_features"}
    assert {threads for _, threads in used} == {1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_metric_survives_a_fork() -> None:
    """In a fresh interpreter, whose torch has worked in several threads before it is forked."""
    code = (
        "import os, torch\n"
        "from cocola_metric import CocolaMetric\n"
        "torch.set_num_threads(4)\n"
        "torch.randn(500, 500) @ torch.randn(500, 500)\n"
        "metric = CocolaMetric(sample_rate=44100, hop=5.0)\n"
        "clip = 0.1 * torch.randn(2, 5 * 44100, generator=torch.Generator().manual_seed(0))\n"
        "metric.update(clip, clip)\n"
        "before = metric.compute().item()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    metric.reset()\n"
        "    metric.update(clip, clip)\n"
        "    os._exit(0 if abs(metric.compute().item() - before) < 1e-4 else 1)\n"
        "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


def test_nothing_to_score(metric, pairs) -> None:
    metric.update(*pairs[:, 4:])
    with pytest.warns(AudioWarning, match="no pair to score"):
        assert metric.compute().isnan()


def test_only_the_common_part_is_scored(metric, scorer, pairs) -> None:
    longer = torch.cat([pairs[1, :1], pairs[1, 1:2]], dim=1)
    with pytest.warns(AudioWarning, match=r"differ in length by 5\.00 s; only the common part"):
        metric.update(pairs[0, :1], longer)
    assert metric.compute().item() == pytest.approx(
        scorer.score(pairs[0, :1], pairs[1, :1], sample_rate=RATE), abs=TOLERANCE
    )


def test_batch_size_and_dtype_do_not_matter(metric, pairs, expected) -> None:
    other = CocolaMetric(hop=5.0, batch_size=1)
    other.update(*pairs[:, :4].double())
    assert other.compute().item() == pytest.approx(expected.mean().item(), abs=TOLERANCE)
    assert other.signature == metric.signature


def test_the_signature_is_the_scorers(metric, scorer) -> None:
    assert metric.signature == scorer.signature


def test_wrong_use_is_explained(metric, pairs) -> None:
    with pytest.raises(UsageError, match="sample_rate must be a whole number of Hz, 8000 or more; got 4000"):
        CocolaMetric(sample_rate=4000)
    with pytest.raises(UsageError, match="mode must be one of both, harmonic, percussive; got 'loud'"):
        CocolaMetric(mode="loud")
    with pytest.raises(CheckpointError, match="nothing: not found; pass a file"):
        CocolaMetric("nothing")
    with pytest.raises(AudioError, match=r"tensor \(80000,\) is not a batch"):
        metric.update(pairs[0, 0], pairs[1, 0])
    with pytest.raises(AudioError, match="2 conditionings and 1 accompaniments are no pairs"):
        metric.update(pairs[0, :2], pairs[1, :1])
    with pytest.raises(AudioError, match="NaN"):
        metric.update(pairs[0, :1], pairs[1, :1] * torch.nan)
    with pytest.raises(AudioError, match="int64"):
        metric.update(pairs[0, :1].long(), pairs[1, :1])


def test_without_torchmetrics_the_way_out_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    monkeypatch.delitem(sys.modules, "cocola_metric.metric")
    monkeypatch.delattr(cocola_metric, "CocolaMetric", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'cocola-metric\[torchmetrics\]'") as caught:
        from cocola_metric import CocolaMetric  # noqa: F401
    assert caught.type is MissingExtraError
