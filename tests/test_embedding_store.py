"""The store of embeddings: what comes out is what went in, and a score is the same with it as without."""

import io
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile

import numpy as np
import pytest

from cocola_metric import AudioError, AudioWarning, CocolaScorer, UsageError
from cocola_metric.cli.score import main
from cocola_metric.embedding_store import EMBEDDINGS, EmbeddingStore, open_store
from cocola_metric.fad import FAD
from cocola_metric.scoring import WindowEmbedder

EXAMPLES = Path(__file__).parents[1] / "examples"
SONGS = [EXAMPLES / song / stem for song in ("harbour", "lantern") for stem in ("drums.flac", "keys.flac")]

ROUNDING = 1e-5
"""Of a score whose windows shared a batch with others."""


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Count the windows that are encoded."""
    encode, seen = WindowEmbedder.encode, []

    def counting(self: WindowEmbedder, windows: np.ndarray, **options: bool) -> object:
        seen.append(len(windows))
        return encode(self, windows, **options)

    monkeypatch.setattr(WindowEmbedder, "encode", counting)

    def since() -> int:
        number = sum(seen)
        seen.clear()
        return number

    return since


def test_a_flipped_bit_of_an_entry_is_found(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path)
    arrays = {EMBEDDINGS: np.arange(6, dtype=np.float32).reshape(2, 3), "silent": np.zeros(2, np.float32)}
    place, other = store.path("recipe", ["a"]), store.path("recipe", ["b"])
    store.write(place, arrays)
    found = store.read(place)
    assert found is not None
    assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
    whole = place.read_bytes()
    for index in range(len(whole)):
        place.write_bytes(whole[:index] + bytes([whole[index] ^ 1]) + whole[index + 1 :])
        assert store.read(place) is None
    for size in (0, 10, 100, len(whole) - 1):
        place.write_bytes(whole[:size])
        assert store.read(place) is None
    other.parent.mkdir(exist_ok=True)
    other.write_bytes(whole)
    assert store.read(other) is None
    assert np.array_equal(np.load(io.BytesIO(whole))[EMBEDDINGS], arrays[EMBEDDINGS])  # arrays for everybody


@pytest.mark.filterwarnings(
    "ignore:.*differ in length:cocola_metric.AudioWarning", "ignore:.*shorter than:cocola_metric.AudioWarning"
)
def test_scores_are_the_same_and_nothing_is_embedded_twice(tmp_path: Path, counted: Callable[[], int]) -> None:
    lengths = [SONGS[0], SONGS[2], np.zeros(70_001, np.float32) + 0.1]  # the last ends inside a window of the others
    pairs = [(a, b) for a in lengths for b in lengths]
    plain = [result.scores for result in CocolaScorer.from_pretrained().iter_scores(pairs, sample_rate=16_000)]
    without = counted()
    for run in range(3):
        scorer = CocolaScorer.from_pretrained(cache=tmp_path)
        kept = [result.scores for result in scorer.iter_scores(pairs, sample_rate=16_000)]
        assert kept == plain
        assert counted() == (0 if run else without)
        assert (scorer.reused, scorer.requested) == (3 if run else 0, 3)


def test_a_file_that_was_exchanged_or_renamed(tmp_path: Path, counted: Callable[[], int]) -> None:
    scorer, file = CocolaScorer.from_pretrained(cache=tmp_path / "cache"), tmp_path / "a.flac"
    copyfile(SONGS[1], file)
    first = scorer.score(SONGS[0], file)
    file.rename(tmp_path / "b.flac")
    counted()
    assert scorer.score(SONGS[0], tmp_path / "b.flac") == first
    assert counted() == 0
    copyfile(SONGS[3], tmp_path / "b.flac")
    exchanged = CocolaScorer.from_pretrained().score(SONGS[0], SONGS[3])
    assert scorer.score(SONGS[0], tmp_path / "b.flac") == pytest.approx(exchanged, abs=ROUNDING)


def test_a_file_that_changes_while_it_is_embedded_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer, file = CocolaScorer.from_pretrained(cache=tmp_path / "cache"), tmp_path / "a.flac"
    copyfile(SONGS[1], file)
    encode = WindowEmbedder.encode

    def exchanging(self: WindowEmbedder, windows: np.ndarray, **options: bool) -> object:
        copyfile(SONGS[3], file)
        return encode(self, windows, **options)

    monkeypatch.setattr(WindowEmbedder, "encode", exchanging)
    scorer.score(file, file)
    assert not list((tmp_path / "cache").rglob("*.npz"))


def test_another_recipe_finds_nothing(tmp_path: Path, counted: Callable[[], int]) -> None:
    CocolaScorer.from_pretrained(cache=tmp_path).score(*SONGS[:2])
    for options in ({"mode": "harmonic"}, {"hop": 5.0}, {"window": 4.0}, {"symmetric": True}):
        counted()
        kept = CocolaScorer.from_pretrained(cache=tmp_path, **options).score(*SONGS[:2])
        assert counted() > 0
        assert kept == CocolaScorer.from_pretrained(**options).score(*SONGS[:2])


def test_a_damaged_entry_is_embedded_again(tmp_path: Path) -> None:
    scorer = CocolaScorer.from_pretrained(cache=tmp_path)
    first = scorer.score(*SONGS[:2])
    for number, entry in enumerate(sorted(tmp_path.rglob("*.npz"))):
        entry.write_bytes(entry.read_bytes()[: 100 * number])
    assert scorer.score(*SONGS[:2]) == pytest.approx(first, abs=ROUNDING)
    assert scorer.reused == 0
    assert scorer.score(*SONGS[:2]) == pytest.approx(first, abs=ROUNDING)
    assert scorer.reused == 2


def test_fad_finds_what_a_score_has_embedded(tmp_path: Path, counted: Callable[[], int]) -> None:
    plain = FAD(cache=None).score(SONGS[:2], SONGS[2:])
    CocolaScorer.from_pretrained(cache=tmp_path).similarity_matrix(SONGS, SONGS)
    counted()
    kept = FAD(cache=tmp_path).score(SONGS[:2], SONGS[2:])
    assert counted() == 0
    assert kept.fad == pytest.approx(plain.fad, rel=1e-5)  # windows of several files shared a batch
    assert kept.signature == plain.signature


def test_a_score_does_not_trust_what_fad_has_embedded(tmp_path: Path) -> None:
    """FAD keeps embeddings alone; a score needs both sides of the similarity, and says so by embedding again."""
    FAD(cache=tmp_path).embed([(song,) for song in SONGS[:2]])
    scorer = CocolaScorer.from_pretrained(cache=tmp_path)
    assert scorer.score(*SONGS[:2]) == pytest.approx(CocolaScorer.from_pretrained().score(*SONGS[:2]), abs=ROUNDING)
    assert scorer.reused == 0


def test_errors_and_warnings_are_those_without(tmp_path: Path) -> None:
    scorer = CocolaScorer.from_pretrained(cache=tmp_path / "cache")
    short = np.sin(np.arange(40_000, dtype=np.float32) / 5)
    for _ in range(2):
        with pytest.warns(AudioWarning, match="shorter than the window"):
            scorer.embed(short, sample_rate=16_000)
        with pytest.raises(AudioError, match="does not exist"):
            scorer.score(SONGS[0], tmp_path / "absent.wav")


def _score(cache: Path, scores: "multiprocessing.Queue[float]") -> None:
    scores.put(CocolaScorer.from_pretrained(cache=cache).score(*SONGS[:2]))


def test_two_processes_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")
    scores = context.Queue()
    processes = [context.Process(target=_score, args=(tmp_path, scores)) for _ in range(3)]
    for process in processes:
        process.start()
    found = {scores.get(timeout=120) for _ in processes}
    for process in processes:
        process.join()
    assert found == {CocolaScorer.from_pretrained().score(*SONGS[:2])}


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cache must be a folder"):
        open_store(tmp_path / "file")
    scorer = CocolaScorer.from_pretrained(cache=tmp_path / "file" / "below")
    assert scorer.score(*SONGS[:2]) == CocolaScorer.from_pretrained().score(*SONGS[:2])


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], counted: Callable[[], int]) -> None:
    arguments = ["rank", *map(str, SONGS), "--cache", str(tmp_path)]
    for run in range(2):
        assert main(arguments) == 0
        told = capsys.readouterr()
        assert counted() == 0 if run else counted() > 0
        assert ("4 of 4 audios were in the cache" in told.err) == bool(run)
    assert main([*map(str, SONGS[:2]), "--cache", str(tmp_path)]) == 0
    assert counted() == 0
