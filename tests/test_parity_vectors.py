"""The small vectors are as good as the authors' own: the recipe that made them gives what the authors' code stored."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from original_2026_names import original_state_2026
from original_2026_recipe import cocola_2026, cocola_2026_features, phalar
from phalar_peer import convolved_constant_q, dense_kernels
from phalar_vectors import Vectors

PARITY = Path(__file__).parent / "data" / "parity"
LARGEST = 1_000_000  # bytes of all small vectors
EMBEDDING_TOLERANCE = 2e-5  # float32 sums in another order, and of another processor
SCORE_TOLERANCE = 1e-4
FEATURE_TOLERANCE_DB = 1e-2
ZEROED = {"both": [], "harmonic": [1], "percussive": [0]}


def test_the_small_vectors_are_small() -> None:
    files = list(PARITY.iterdir())
    assert {file.stem for file in files if file.suffix == ".npz"} == {"mel", "hps", "phalar", "cocola_2026"}
    assert sum(file.stat().st_size for file in files) < LARGEST


def test_the_recipe_of_phalar_gives_what_is_stored(parity_2026: Callable[[str], Vectors]) -> None:
    vectors = parity_2026("phalar")
    with torch.inference_mode():
        made = phalar(original_state_2026("phalar", vectors.model), vectors.tensor("features"))
    for name, values in made.items():
        tolerance = SCORE_TOLERANCE if name.startswith("cross") else EMBEDDING_TOLERANCE
        assert (values - vectors.golden[name]).abs().max() < tolerance, name


def test_the_constant_q_transform_gives_what_is_stored(parity_2026: Callable[[str], Vectors]) -> None:
    """As a dense convolution with our kernels; the authors' library itself is not needed for it."""
    vectors = parity_2026("phalar")
    for clip, stored in zip(vectors.waveforms[:2], vectors.tensor("features"), strict=False):
        magnitudes = convolved_constant_q(clip[None], dense_kernels()).clamp(min=1e-5)
        decibels = 20 * magnitudes.log10()
        made = decibels.clamp(min=decibels.max() - 80) / 80 + 1
        assert (made - stored).abs().max() * 80 < 8 * FEATURE_TOLERANCE_DB


@pytest.mark.parametrize("mode", ZEROED)
def test_the_recipe_of_the_later_cocola_gives_what_is_stored(parity_2026: Callable[[str], Vectors], mode: str) -> None:
    pytest.importorskip("efficientnet_pytorch", reason="needs efficientnet_pytorch==0.7.1 (make test installs it)")
    vectors = parity_2026("cocola_2026")
    features = vectors.tensor("features").clone()
    features[:, ZEROED[mode]] = 0
    embeddings, scores = cocola_2026(original_state_2026("cocola_2026", vectors.model), features)
    assert (embeddings - vectors.tensor(f"embeddings_{mode}")).abs().max() < EMBEDDING_TOLERANCE
    assert (scores - vectors.tensor(f"cross_scores_{mode}")).abs().max() < SCORE_TOLERANCE


def test_the_images_of_the_later_cocola_are_what_is_stored(parity_2026: Callable[[str], Vectors]) -> None:
    vectors = parity_2026("cocola_2026")
    made = torch.stack([cocola_2026_features(clip) for clip in vectors.waveforms[:2]])
    assert (made - vectors.tensor("features")[:2]).abs().max() < FEATURE_TOLERANCE_DB
