"""Reference statistics and cached embeddings on disk: whatever happens to the bytes, no wrong number comes out."""

import random
from pathlib import Path

import numpy as np
import pytest

from cocola_metric import stored_arrays
from cocola_metric.errors import OutputError, UsageError
from cocola_metric.fad.estimates import TrackSet, bootstrap_interval
from cocola_metric.fad.frechet import Statistics
from cocola_metric.fad.reference import Reference


@pytest.fixture
def reference() -> Reference:
    draw = np.random.default_rng(0)
    return Reference(Statistics.of(draw.standard_normal((12, 3))), 4, float("nan"), "FAD|embedder:x")


def test_it_comes_back_as_it_was(tmp_path: Path, reference: Reference) -> None:
    kept = Reference.load(reference.save(tmp_path / "new" / "r.npz"))
    assert np.array_equal(kept.statistics.factor, reference.statistics.factor)
    assert (kept.statistics.count, kept.tracks, kept.recipe) == (12, 4, "FAD|embedder:x")


def test_every_damage_is_one_error_or_harmless(tmp_path: Path, reference: Reference) -> None:
    file = reference.save(tmp_path / "r.npz")
    whole = file.read_bytes()
    draw = random.Random(0)
    for number in range(600):
        damaged = bytearray(whole)
        if number % 2:
            del damaged[draw.randrange(len(damaged)) :]
        for _ in range(draw.choice((1, 5))):
            if damaged:
                damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        file.write_bytes(damaged)
        try:
            kept = Reference.load(file)
        except UsageError as error:
            assert "r.npz" in str(error)
        else:  # the bit was of a time stamp or the like
            assert np.array_equal(kept.statistics.factor, reference.statistics.factor)
            assert np.array_equal(kept.statistics.mean, reference.statistics.mean)


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


HOSTILE_ARRAYS = {
    "huge": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"),
    "negative": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"),
    "objects": npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"\x80\x04."),
    "no Python": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,"),
    "a call": npy("__import__('os').abort()"),
    "deep": npy("(" * 100),
    "short": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}", b"\0" * 8),
    "empty": b"",
    "version": b"\x93NUMPY\x09\x00",
}


@pytest.mark.parametrize("name", HOSTILE_ARRAYS)
def test_hostile_headers_are_refused(name: str) -> None:
    with pytest.raises(ValueError):
        stored_arrays.npy_array(HOSTILE_ARRAYS[name])


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_arrays, "_MOST_BYTES", 2**20)
    np.savez_compressed(tmp_path / "bomb.npz", a=np.zeros(2**18))
    with pytest.raises(ValueError, match="announces more than"):
        stored_arrays.npz_arrays(tmp_path / "bomb.npz")


@pytest.mark.parametrize(
    ("change", "value"),
    [("count", 1), ("tracks", 0), ("tracks", 13), ("mean", [1.0, float("nan"), 0.0]), ("floor", -1.0)],
)
def test_values_that_no_set_has_are_refused(tmp_path: Path, reference: Reference, change: str, value: object) -> None:
    arrays = stored_arrays.npz_arrays(reference.save(tmp_path / "r.npz"))
    np.savez(tmp_path / "r.npz", **arrays | {change: np.asarray(value)})
    with pytest.raises(UsageError, match="damaged reference statistics"):
        Reference.load(tmp_path / "r.npz")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, reference: Reference) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        reference.save(tmp_path / "file" / "r.npz")


def test_a_single_track_has_no_interval() -> None:
    draw = np.random.default_rng(0)
    one, many = (TrackSet([draw.standard_normal((4, 2)) for _ in range(size)]) for size in (1, 5))
    assert np.isnan(bootstrap_interval(one, many, paired=False, resamples=10, seed=0)).all()
    assert np.isfinite(bootstrap_interval(many, one, paired=False, resamples=10, seed=0)).all()
