"""The score as a metric of VERSA: its own base class where it is installed, otherwise a protocol written after it."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
import versa_protocol

from cocola_metric import CocolaScorer, examples
from cocola_metric.errors import AudioError

EXAMPLES = Path(__file__).parents[2] / "examples"
RATE = 16_000


@pytest.fixture(scope="module")
def definition() -> Iterator[ModuleType]:
    """versa.definition: the real one, or the protocol."""
    try:
        yield importlib.import_module("versa.definition")
    except ImportError:
        with pytest.MonkeyPatch.context() as patched:
            patched.setitem(sys.modules, "versa", ModuleType("versa"))
            patched.setitem(sys.modules, "versa.definition", versa_protocol.module())
            yield sys.modules["versa.definition"]
            sys.modules.pop("cocola_metric.adapters.versa", None)


@pytest.fixture
def registry(definition: ModuleType):
    adapter = importlib.import_module("cocola_metric.adapters.versa")
    registry = definition.MetricRegistry()
    adapter.register_cocola_metric(registry)
    return registry


def sounds() -> list[np.ndarray]:
    """Keys and drums of an example song, and a bass of another, 6 s each."""
    songs = examples()
    files = (songs.accompaniment, songs.conditioning[0], EXAMPLES / "lantern" / "bass.flac")
    return [soundfile.read(file, stop=6 * RATE)[0] for file in files]


def test_the_registry_knows_the_metric(registry, definition: ModuleType) -> None:
    metadata = registry.get_metadata("cocola_score")
    assert metadata.name == "cocola" and metadata.category is definition.MetricCategory.DEPENDENT
    assert metadata.metric_type is definition.MetricType.FLOAT and metadata.requires_reference
    assert not metadata.requires_text and metadata.dependencies == ["cocola_metric"]
    assert all(importlib.import_module(name) for name in metadata.dependencies)
    assert issubclass(registry.get_metric("cocola"), definition.BaseMetric)


def test_it_scores_as_the_scorer_does(registry) -> None:
    keys, drums, bass = sounds()
    metric = registry.get_metric("cocola")({"name": "cocola", "use_gpu": False})
    scorer = CocolaScorer.from_pretrained(device="cpu")
    fits, other = (
        metric.compute(predictions=side, references=drums, metadata={"key": "a", "sample_rate": RATE, "text": None})
        for side in (keys, bass)
    )
    assert fits == {"cocola": pytest.approx(scorer.score(drums[None], keys[None], sample_rate=RATE), abs=1e-4)}
    assert fits["cocola"] > other["cocola"] and metric.signature == scorer.signature
    assert metric.get_metadata() == registry.get_metadata("cocola")


def test_options_and_missing_sides(registry) -> None:
    keys, drums, _ = sounds()
    metric = registry.get_metric("cocola")({"symmetric": True, "device": "cpu"})
    both = [metric.compute(*sides)["cocola"] for sides in ((keys, drums), (drums, keys))]
    assert both[0] == pytest.approx(both[1], abs=1e-4) and "symmetric:yes" in metric.signature
    with pytest.raises(AudioError, match="pass predictions and references"):
        metric.compute(keys)
