"""The score in Hugging Face evaluate: the real package loads the module, collects batches and computes."""

from pathlib import Path

import pytest
import soundfile

from cocola_metric import CocolaScorer, examples

evaluate = pytest.importorskip("evaluate", reason="evaluate is not installed; run pip install evaluate")
OTHER = Path(__file__).parents[2] / "examples" / "lantern" / "bass.flac"
SCRIPT = Path(__file__).parents[2] / "cocola_metric" / "adapters" / "cocola.py"


@pytest.fixture(scope="module")
def metric(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("evaluate.loading.init_dynamic_modules", _modules_in(folder))
        yield evaluate.load(str(SCRIPT), cache_dir=str(folder))


def _modules_in(folder: Path):
    """Put the copy of the module that evaluate imports into a folder of the test."""
    from evaluate import loading

    make = loading.init_dynamic_modules
    return lambda: make(hf_modules_cache=folder / "modules")


def test_paths_and_lists_of_stems_score_as_with_the_scorer(metric) -> None:
    assert isinstance(metric, evaluate.Metric) and metric.module_type == "metric"
    songs = examples()
    references = [list(map(str, songs.conditioning))] * 2
    result = metric.compute(predictions=[str(songs.accompaniment), str(OTHER)], references=references)
    assert [round(score, 2) for score in result["scores"]] == [16.83, 3.71]
    assert result["cocola"] == pytest.approx(sum(result["scores"]) / 2)
    assert result["signature"] == CocolaScorer.from_pretrained(device="cpu").signature


def test_batches_of_samples_add_up(metric) -> None:
    songs = examples()
    keys, drums = (soundfile.read(file, stop=6 * 16_000)[0] for file in (songs.accompaniment, songs.conditioning[0]))
    metric.add(prediction=keys, reference=drums)
    metric.add_batch(predictions=[drums], references=[keys])
    result = metric.compute(sample_rate=16_000)
    expected = CocolaScorer.from_pretrained(device="cpu").score_pairs(
        [drums[None], keys[None]], [keys[None], drums[None]], sample_rate=16_000
    )
    assert result["scores"] == pytest.approx(expected.tolist(), abs=1e-3)
    both = metric.compute(predictions=[keys], references=[drums], sample_rate=16_000, symmetric=True)
    assert both["cocola"] == pytest.approx(result["cocola"], abs=1e-3) and "symmetric" in both["signature"]
