"""What every test stands on: no network, no flaky deadlines, the packaged audio, and the folder shared by checkouts."""

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub
settings.register_profile("cocola", deadline=None, derandomize=True)
settings.load_profile("cocola")

if TYPE_CHECKING:
    from fake_ray import FakeRay
    from parity_vectors import ParityVectors
    from phalar_vectors import Vectors

SHARED = Path(__file__).parents[2] / "shared"
RECORDED = "stems/recorded"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only measures speed, unless `make bench` asks for it; it is no skipped test."""
    if config.getoption("benchmark_only", default=False):
        return
    measures = [item for item in items if "benchmark" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=measures)
    items[:] = [item for item in items if item not in measures]


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


@pytest.fixture(scope="session", params=["excerpts", "songs"] if (SHARED / RECORDED).exists() else ["excerpts"])
def recorded(request: pytest.FixtureRequest, data: Path) -> Path:
    """A folder of recorded songs: twelve seconds of four in `data/recorded`, and twelve whole ones where they are."""
    return data / "recorded" if request.param == "excerpts" else SHARED / RECORDED


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let processes that the test starts hear Ctrl-C, even where the shell that started the tests has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


SIZES = ["small", "full"] if (SHARED / "parity").exists() else ["small"]


@pytest.fixture(scope="session", params=SIZES)
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


@pytest.fixture(scope="session", params=SIZES)
def parity_2026(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], "Vectors"]:
    """The reference vectors of the authors' encoders of 2026, "phalar" or "cocola_2026"; small and full as above."""
    from phalar_vectors import read_full_2026, read_small_2026

    def read(kind: str) -> "Vectors":
        if request.param == "full":
            return read_full_2026(kind, SHARED / "parity")
        return read_small_2026(kind, tmp_path_factory.mktemp("seeded"))

    return functools.cache(read)


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> "FakeRay":
    """A stand-in for Ray, in its place."""
    from fake_ray import FakeRay

    fake = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", fake)
    monkeypatch.setitem(sys.modules, "ray.exceptions", fake.exceptions)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return fake
