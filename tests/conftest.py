"""What every test stands on: no network, no flaky deadlines, the packaged audio, and the folder shared by checkouts."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub
settings.register_profile("cocola", deadline=None, derandomize=True)
settings.load_profile("cocola")

if TYPE_CHECKING:
    from parity_vectors import ParityVectors

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of small audio files that `data/make_data.py` writes."""
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Find a file or folder of `../shared` ("parity/mel"), or skip the test, because a bare checkout has none."""

    def find(name: str) -> Path:
        if not (SHARED / name).exists():
            pytest.skip(f"needs {SHARED / name}, which is not part of a bare checkout")
        return SHARED / name

    return find


@pytest.fixture(scope="session", params=["small", "full"] if (SHARED / "parity").exists() else ["small"])
def parity(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], "ParityVectors"]:
    """The original code's reference vectors for a front end, "mel" or "hps".

    "small" are three clips in `data/parity` and seeded weights; "full" those in `../shared/parity`, where it is.
    """
    from parity_vectors import SMALL, read_vectors
    from seeded_checkpoint import seeded_state, write_checkpoint

    def read(kind: str) -> "ParityVectors":
        if request.param == "full":
            folder = SHARED / "parity" / kind
            return read_vectors(folder, folder / "golden.npz", folder / "reference.ckpt")
        checkpoint = tmp_path_factory.mktemp("seeded") / "reference.ckpt"
        return read_vectors(SMALL, SMALL / f"{kind}.npz", write_checkpoint(checkpoint, kind, seeded_state(kind)))

    return functools.cache(read)
