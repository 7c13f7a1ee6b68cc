"""What the caller has set in torch moves no score, breaks nothing, and is set again afterwards."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from cocola_metric import CocolaScorer

RATE = 16_000
PASSES = 6  # pairs of one iteration: more than are read ahead


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


STATES = {
    "autocast to bfloat16": lambda: torch.autocast("cpu", torch.bfloat16),
    "autocast to float16": lambda: torch.autocast("cpu", torch.float16),
    "default float64": lambda: default_dtype(torch.float64),
    "default float16": lambda: default_dtype(torch.float16),
    "default device": lambda: torch.device("meta"),
    "inference": torch.inference_mode,
    "no gradients": torch.no_grad,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("audio")
    for number, rate in enumerate((16_000, 44_100, 16_000)):
        samples = np.random.default_rng(number).uniform(-0.1, 0.1, (6 * rate, 2))
        soundfile.write(folder / f"{number}.wav", samples, rate)
    return sorted(folder.iterdir())


def all_results(scorer: CocolaScorer, files: list[Path]) -> dict[str, list[float]]:
    """Ask a scorer everything it answers."""
    first, second, third = files
    array = np.random.default_rng(3).uniform(-0.1, 0.1, (2, 6 * RATE))
    iterated = []
    for result in scorer.iter_scores([([first, third], second)] * PASSES + [(first, array)] * PASSES, sample_rate=RATE):
        time.sleep(0.01)  # time in which what is read ahead goes on, in the caller's state
        iterated.append(result.mean)
    return {
        "iter_scores": iterated,
        "score": [scorer.score([first, third], second)],
        "score_pairs": scorer.score_pairs([first, [second, third]], [second, first]).tolist(),
        "similarity_matrix": scorer.similarity_matrix([first, [second, third]], [second, first]).flatten().tolist(),
        "rank": [entry.score for entry in scorer.rank(first, [second, third])],
        "accuracy": [scorer.accuracy([first, second], [third, first])],
        "embed": scorer.embed([first, second]).flatten().tolist(),
    }


@pytest.fixture(scope="module")
def scorer() -> CocolaScorer:
    return CocolaScorer.from_pretrained(device="cpu")


@pytest.fixture(scope="module")
def expected(scorer: CocolaScorer, files: list[Path]) -> dict[str, list[float]]:
    return all_results(scorer, files)


@pytest.mark.parametrize("state", STATES)
def test_no_state_moves_a_number(
    state: str, scorer: CocolaScorer, files: list[Path], expected: dict[str, list[float]]
) -> None:
    context: AbstractContextManager[object] = STATES[state]()
    with context:
        before = torch.is_autocast_enabled("cpu"), torch.get_default_dtype(), torch.get_default_device()
        found = all_results(scorer, files)
        assert (torch.is_autocast_enabled("cpu"), torch.get_default_dtype(), torch.get_default_device()) == before
    assert found == expected


@pytest.mark.parametrize("state", ["default float64", "default float16", "default device", "autocast to float16"])
def test_an_encoder_is_loaded_in_any_state(state: str, files: list[Path], expected: dict[str, list[float]]) -> None:
    with STATES[state]():
        found = CocolaScorer.from_pretrained(device="cpu").score([files[0], files[2]], files[1])
    assert found == expected["score"][0]


def test_results_are_float32_on_the_cpu(scorer: CocolaScorer, files: list[Path]) -> None:
    with default_dtype(torch.float64), torch.device("meta"):
        results = [scorer.score_pairs(files, files), scorer.similarity_matrix(files, files), scorer.embed(files[0])]
    assert [(type(result), result.dtype) for result in results] == [(np.ndarray, np.float32)] * 3
