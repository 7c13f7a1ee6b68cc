"""Generators answer queries, and the stage that lets them never does the same work twice."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_benchmark import COUNT, RATE, SECONDS, Benchmark, open_benchmark, run, samples_in, write_songs

from cocola_metric.benchmarks.generators import commands, export
from cocola_metric.benchmarks.generators.best_of import BestOf
from cocola_metric.benchmarks.generators.folder import (
    Content,
    Generated,
    accompaniment_of,
    fit_length,
    mix_of,
    open_generated,
    write_about,
    write_wav_whole,
)
from cocola_metric.benchmarks.generators.generate import GenerateCounts
from cocola_metric.benchmarks.generators.outside import Folder
from cocola_metric.benchmarks.generators.protocol import Setting
from cocola_metric.benchmarks.generators.real_music import GroundTruth, Random
from cocola_metric.benchmarks.generators.registry import open_generator
from cocola_metric.benchmarks.queries.audio import ConditioningAudio, QueryAudio, open_tracks
from cocola_metric.benchmarks.queries.manifest import Query, read_queries
from cocola_metric.benchmarks.queries.stem_windows import limit_band
from cocola_metric.errors import AudioError, UsageError
from cocola_metric.training.corpora.window_reader import read_window


@dataclass
class Noise:
    """Plays noise of a random level, and notes what it was asked."""

    weights: str = "first"
    name: str = "Noise"
    content: Content = "accompaniment"
    fails_after: int = 1000
    refuses: str = ""
    asked: list[str] = field(default_factory=list)

    def unsupported(self, query: Query) -> str | None:
        return "too hard" if query.id == self.refuses else None

    def recipe(self, query: Query, audio: ConditioningAudio) -> dict[str, str]:
        return {"weights": self.weights, "conditioning": audio.fingerprint(query)}

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        answers = []
        for query in queries:
            if len(self.asked) >= self.fails_after:
                raise KeyboardInterrupt
            self.asked.append(query.id)
            noise = rng.uniform(0.1, 1) * rng.normal(0, 0.1, round(RATE * 0.7)).astype(np.float32)
            if self.content == "full_mix":
                noise = noise[: round(RATE * SECONDS)] + audio.conditioning(query, RATE)
            answers.append(Generated(noise, RATE))
        return answers


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


# What is heard


def test_audio_of_a_query_is_that_of_the_window(bench: Benchmark) -> None:
    for query in bench.queries:
        track = next(track for track in bench.audio.tracks if track.name == query.conditioning.track)
        whole = read_window(track, query.conditioning.start, SECONDS)
        places = {f"{stem.name}_1": place for place, stem in enumerate(track.stems)}
        for submix, heard in (
            (query.conditioning, bench.audio.conditioning(query, 16_000)),
            (query.accompaniment, bench.audio.target(query, 16_000)),
        ):
            expected = whole[[places[tag] for tag in submix.tags]].sum(0)
            np.testing.assert_allclose(heard, expected, atol=1e-6)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_audio_comes_at_any_rate(bench: Benchmark, rate: int) -> None:
    query = bench.queries[0]
    heard = bench.audio.conditioning(query, rate)
    assert heard.shape == (round(SECONDS * rate),)
    native = bench.audio.conditioning(query, bench.audio.native_rate(query))
    assert np.std(heard) == pytest.approx(np.std(native), rel=0.02)
    stems = bench.audio.conditioning_stems(query, rate)
    assert tuple(stems) == query.conditioning.tags
    np.testing.assert_allclose(sum(stems.values()), heard, atol=1e-6)


def test_more_context_begins_at_the_same_place_and_ends_in_silence(bench: Benchmark) -> None:
    query = bench.queries[0]
    longer = bench.audio.conditioning(query, RATE, seconds=3)
    np.testing.assert_array_equal(longer[: round(SECONDS * RATE)], bench.audio.conditioning(query, RATE))
    assert longer.shape == (3 * RATE,) and not longer[round(1.5 * RATE) :].any()


def test_a_fingerprint_is_that_of_what_is_heard(bench: Benchmark, tmp_path: Path) -> None:
    copied = QueryAudio(open_tracks(str(write_songs(tmp_path))))
    prints = [bench.audio.fingerprint(query) for query in bench.queries]
    assert [copied.fingerprint(query) for query in bench.queries] == prints
    longer = [bench.audio.fingerprint(query, seconds=1) for query in bench.queries]
    assert not set(longer) & set(prints)


def test_generators_cannot_hear_the_answer(bench: Benchmark) -> None:
    audio = ConditioningAudio(bench.audio.tracks)
    assert not hasattr(audio, "target") and not hasattr(audio, "donor")


def test_a_band_limit_takes_away_what_lies_above() -> None:
    time = np.arange(RATE) / RATE
    low, high = (np.sin(2 * np.pi * pitch * time).astype(np.float32) for pitch in (1000, 10_000))
    inner = slice(1000, -1000)
    np.testing.assert_allclose(limit_band(low + high, RATE, 8000)[inner], low[inner], atol=0.01)
    np.testing.assert_array_equal(limit_band(low, RATE, 16_000), low)


def test_a_band_limit_applies_to_all_audio_of_a_query(bench: Benchmark) -> None:
    query, limited = bench.queries[0], QueryAudio(bench.audio.tracks, band=2000)
    for read in (QueryAudio.conditioning, QueryAudio.target, QueryAudio.donor):
        whole, heard = (np.abs(np.fft.rfft(read(audio, query, RATE))) for audio in (bench.audio, limited))
        above = round(2500 * SECONDS)
        assert heard[above:].mean() < 0.2 * whole[above:].mean()


def test_another_corpus_is_refused(bench: Benchmark) -> None:
    foreign = QueryAudio(bench.audio.tracks[:0])
    with pytest.raises(AudioError, match="pass the corpus that the queries were drawn on"):
        foreign.conditioning(bench.queries[0], RATE)


# Real music


def test_ground_truth_is_the_target_and_random_is_not(bench: Benchmark, tmp_path: Path) -> None:
    assert run(bench, GroundTruth(bench.audio), tmp_path / "gt") == GenerateCounts(COUNT, 0, 0)
    assert run(bench, Random(bench.audio), tmp_path / "random") == GenerateCounts(COUNT, 0, 0)
    truth, random = (open_generated(tmp_path / name, bench.sha256) for name in ("gt", "random"))
    for query in bench.queries:
        np.testing.assert_array_equal(truth.read(query).samples, bench.audio.target(query, RATE))
        np.testing.assert_array_equal(random.read(query).samples, bench.audio.donor(query, RATE))
        assert query.donor.track != query.conditioning.track


# Folders from elsewhere


def write_folder(bench: Benchmark, root: Path, **about) -> Path:
    root.mkdir()
    for query in bench.queries:
        stereo = np.stack([np.full(round(SECONDS * 16_000), level, np.float32) for level in (0.1, 0.3)], 1)
        soundfile.write(root / f"{query.id}.wav", stereo, 16_000, subtype="FLOAT")
    write_about(root, bench.sha256, "accompaniment", about)
    return root


def test_a_folder_of_anybody_s_audio_answers(bench: Benchmark, tmp_path: Path) -> None:
    generator = Folder(write_folder(bench, tmp_path / "theirs", generator="StemGen"), bench.sha256)
    assert run(bench, generator, tmp_path / "out") == GenerateCounts(COUNT, 0, 0)
    answers = open_generated(tmp_path / "out", bench.sha256)
    assert answers.about["generator"] == "StemGen" and not answers.missing(bench.queries)
    answer = answers.read(bench.queries[0])
    assert answer.sample_rate == 16_000 and answer.samples.shape == (8_000,)
    np.testing.assert_allclose(answer.samples, 0.2, rtol=1e-6)


def test_a_folder_may_leave_queries_out_with_a_reason(bench: Benchmark, tmp_path: Path) -> None:
    left_out = bench.queries[2].id
    theirs = write_folder(bench, tmp_path / "theirs", unsupported={left_out: "no drums"})
    (theirs / f"{left_out}.wav").unlink()
    assert run(bench, Folder(theirs, bench.sha256), tmp_path / "out") == GenerateCounts(COUNT - 1, 0, 1)
    about = json.loads((tmp_path / "out" / "generated.json").read_text())
    assert about["unsupported"] == {left_out: "no drums"}


@pytest.mark.parametrize(
    ("about", "message"),
    [
        (None, "no generated.json"),
        ("[1]", "must be an object with content and queries_sha256"),
        ('{"content": "accompaniment"}', "queries_sha256"),
        ('{"content": "accompaniment", "queries_sha256": "0000"}', "answers the queries 0000"),
        ('{"content": "mix", "queries_sha256": "0000"}', "accompaniment or full_mix"),
    ],
)
def test_a_folder_that_does_not_belong_is_refused(
    bench: Benchmark, tmp_path: Path, about: str | None, message: str
) -> None:
    folder = write_folder(bench, tmp_path / "theirs")
    (folder / "generated.json").unlink()
    if about is not None:
        (folder / "generated.json").write_text(about)
    with pytest.raises(UsageError, match=message):
        Folder(folder, bench.sha256)


def test_missing_short_and_broken_answers_are_named(bench: Benchmark, tmp_path: Path) -> None:
    theirs = write_folder(bench, tmp_path / "theirs")
    file = theirs / f"{bench.queries[1].id}.wav"
    generator = Folder(theirs, bench.sha256)
    soundfile.write(file, np.zeros(5_000), 16_000)
    with pytest.raises(AudioError, match=r"lasts 0\.312 s"):
        run(bench, generator, tmp_path / "out")
    soundfile.write(file, np.full(8_000, np.nan), 16_000, subtype="FLOAT")
    with pytest.raises(AudioError, match="NaN"):
        run(bench, generator, tmp_path / "out")
    file.write_bytes(b"RIFF")
    with pytest.raises(AudioError, match="ends before its samples"):
        run(bench, generator, tmp_path / "out")
    file.unlink()
    with pytest.raises(AudioError, match=f"no {file.name}"):
        run(bench, generator, tmp_path / "out")


def test_a_full_mix_minus_its_conditioning_is_the_accompaniment() -> None:
    y, x = np.random.default_rng(0).normal(size=(2, 100)).astype(np.float32)
    np.testing.assert_allclose(accompaniment_of(y + x, y, "full_mix"), x, atol=1e-6)
    np.testing.assert_array_equal(accompaniment_of(x, y, "accompaniment"), x)
    np.testing.assert_array_equal(mix_of(y + x, y, "full_mix"), mix_of(x, y, "accompaniment"))


def test_lengths_are_cut_or_filled_up_a_little(bench: Benchmark) -> None:
    query = bench.queries[0]
    assert fit_length(np.ones(20_000, np.float32), query, RATE, "it").shape == (16_000,)
    filled = fit_length(np.ones(15_000, np.float32), query, RATE, "it")
    assert filled.shape == (16_000,) and filled.sum() == 15_000


# The best of several


@pytest.mark.parametrize("content", ["accompaniment", "full_mix"])
def test_the_loudest_of_several_answers_is_taken(bench: Benchmark, content: Content) -> None:
    batch = bench.queries[:2]
    generator = BestOf(Noise(content=content), 5)
    answers = generator.generate(batch, bench.audio, rng())
    rounds = [Noise(content=content).generate(batch, bench.audio, child) for child in rng().spawn(5)]
    for place, (query, answer) in enumerate(zip(batch, answers, strict=True)):
        y = bench.audio.conditioning(query, RATE)
        parts = [accompaniment_of(a[place].samples[: len(y)], y, content) for a in rounds]
        norms = [np.linalg.norm(part) for part in parts]
        np.testing.assert_allclose(answer.norms, norms, rtol=1e-5)
        np.testing.assert_array_equal(answer.samples, rounds[int(np.argmax(norms))][place].samples)
        assert len(set(answer.norms)) == 5


def test_norms_are_kept_on_disk(bench: Benchmark, tmp_path: Path) -> None:
    run(bench, BestOf(Noise(), 3), tmp_path)
    note = json.loads((tmp_path / f"{bench.queries[0].id}.json").read_text())
    assert len(note["norms"]) == 3
    loudest = soundfile.read(tmp_path / f"{bench.queries[0].id}.wav")[0]
    assert np.linalg.norm(loudest) == pytest.approx(max(note["norms"]), rel=1e-5)
    with pytest.raises(UsageError, match="candidates must be 1 or more; got 0"):
        BestOf(Noise(), 0)


# The stage


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_run_that_was_stopped_goes_on_to_the_same_end(bench: Benchmark, tmp_path: Path, batch_size: int) -> None:
    run(bench, Noise(), tmp_path / "whole", batch_size=batch_size)
    with pytest.raises(KeyboardInterrupt):
        run(bench, Noise(fails_after=4), tmp_path / "out", batch_size=batch_size)
    assert len(samples_in(tmp_path / "out")) == 4
    rest = Noise()
    assert run(bench, rest, tmp_path / "out", batch_size=batch_size) == GenerateCounts(2, 4, 0)
    assert rest.asked == [query.id for query in bench.queries[4:]]
    assert samples_in(tmp_path / "out") == samples_in(tmp_path / "whole")
    done = Noise()
    assert run(bench, done, tmp_path / "out", batch_size=batch_size) == GenerateCounts(0, COUNT, 0)
    assert done.asked == []


@pytest.mark.parametrize(
    "change", [{"generator": Noise(weights="second")}, {"seed": 1}, {"generator": BestOf(Noise(), 2)}]
)
def test_another_recipe_is_generated_anew(bench: Benchmark, tmp_path: Path, change) -> None:
    run(bench, Noise(), tmp_path)
    change = {"generator": Noise()} | change
    assert run(bench, change.pop("generator"), tmp_path, **change) == GenerateCounts(COUNT, 0, 0)


def test_a_longer_manifest_keeps_what_was_answered(bench: Benchmark, tmp_path: Path) -> None:
    fewer = replace(bench, queries=bench.queries[:4])
    run(fewer, Noise(), tmp_path, queries_sha256="of four")
    assert run(bench, Noise(), tmp_path) == GenerateCounts(2, 4, 0)
    assert open_generated(tmp_path, bench.sha256).missing(bench.queries) == []


def test_only_answers_to_changed_music_are_made_anew(tmp_path: Path) -> None:
    bench, out = open_benchmark(tmp_path), tmp_path / "out"
    run(bench, Noise(), out)
    file = bench.corpus / "song1" / "stem0.wav"
    soundfile.write(file, 0.5 * soundfile.read(file)[0], RATE, subtype="FLOAT")
    heard = [q.id for q in bench.queries if q.conditioning.track == "song1" and "stem0_1" in q.conditioning.tags]
    again = Noise()
    run(bench, again, out)
    assert again.asked == heard != []


def test_damaged_answers_are_made_anew(bench: Benchmark, tmp_path: Path) -> None:
    run(bench, Noise(), tmp_path)
    before = samples_in(tmp_path)
    damaged, lost, unnoted = bench.queries[:3]
    (tmp_path / f"{damaged.id}.wav").write_bytes(b"RIFF")
    (tmp_path / f"{lost.id}.wav").unlink()
    (tmp_path / f"{unnoted.id}.json").write_text("{")
    assert run(bench, Noise(), tmp_path) == GenerateCounts(3, 3, 0)
    assert samples_in(tmp_path) == before
    assert not list(tmp_path.glob(".*"))


def test_what_cannot_be_answered_is_noted_and_outdated_answers_go(bench: Benchmark, tmp_path: Path) -> None:
    run(bench, Noise(), tmp_path)
    refused = bench.queries[3]
    assert run(bench, Noise(refuses=refused.id), tmp_path) == GenerateCounts(0, COUNT - 1, 1)
    folder = open_generated(tmp_path, bench.sha256)
    assert folder.missing(bench.queries) == [refused]
    assert folder.about["unsupported"] == {refused.id: "too hard"}


def test_somebody_else_s_files_are_never_overwritten(bench: Benchmark, tmp_path: Path) -> None:
    theirs = write_folder(bench, tmp_path / "theirs")
    before = {file.name: file.read_bytes() for file in theirs.iterdir()}
    with pytest.raises(UsageError, match="give another folder"):
        run(bench, Noise(), theirs)
    assert {file.name: file.read_bytes() for file in theirs.iterdir()} == before


# The commands


def test_the_command_line_generates(bench: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--queries", str(bench.manifest), "--out", str(tmp_path / "random"), "--generator", "random"]
    for counts in ((COUNT, 0), (0, COUNT)):
        commands.generate(common)
        report = json.loads(capsys.readouterr().out)
        assert (report["generator"], report["generated"], report["kept"]) == ("Random", *counts)
    again = ["--queries", str(bench.manifest), "--out", str(tmp_path / "again")]
    commands.generate([*again, "--generator", f"folder:{tmp_path / 'random'}", "--corpus", str(bench.corpus)])
    assert samples_in(tmp_path / "again") == samples_in(tmp_path / "random")
    for wrong in ("nothing", "folder:", f"folder:{tmp_path / 'again'}"):
        with pytest.raises(SystemExit):
            commands.generate([*again, "--generator", wrong])
    errors = capsys.readouterr().err
    assert "the generator must be one of ground_truth, random, " in errors
    assert "write folder:DIR" in errors and "--out is the folder that the answers are read from" in errors


def test_candidates_of_the_command_line(bench: Benchmark) -> None:
    setting = Setting(bench.audio, bench.sha256)
    assert isinstance(open_generator("random", setting), Random)
    several = open_generator("random", setting, candidates=12)
    assert isinstance(several, BestOf) and several.candidates == 12


def test_an_external_system_can_be_evaluated(
    bench: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "exported"
    commands.export(["--queries", str(bench.manifest), "--out", str(out), "--generator", "Theirs"])
    assert json.loads(capsys.readouterr().out)["queries"] == COUNT
    answers = tmp_path / "answers"
    answers.mkdir()
    for folder in sorted(path for path in out.iterdir() if path.is_dir()):  # the external system starts here
        query = json.loads((folder / "query.json").read_text())
        heard, rate = soundfile.read(folder / "conditioning.wav", dtype="float32")
        stems = {file.stem: soundfile.read(file, dtype="float32")[0] for file in (folder / "stems").iterdir()}
        assert set(stems) == {part["tag"] for part in query["conditioning"]}
        np.testing.assert_allclose(sum(stems.values()), heard, atol=1e-6)
        wanted = ", ".join(part["tag"] for part in query["accompaniment"])
        assert (folder / "prompt.txt").read_text().endswith(f"; out: {wanted}\n")
        soundfile.write(answers / f"{folder.name}.wav", -heard, rate, subtype="FLOAT")
    (answers / "generated.json").write_bytes((out / "generated.json").read_bytes())  # and ends here
    generator = Folder(answers, bench.sha256)
    assert generator.name == "Theirs"
    assert run(bench, generator, tmp_path / "scored") == GenerateCounts(COUNT, 0, 0)
    query = read_queries(bench.manifest)[0]
    answer = open_generated(tmp_path / "scored", bench.sha256).read(query)
    np.testing.assert_allclose(answer.samples, -bench.audio.conditioning(query, RATE), atol=1e-6)


def test_an_export_does_not_give_the_answer_away(bench: Benchmark, tmp_path: Path) -> None:
    query = bench.queries[0]
    folder = export.export_query(query, bench.audio, tmp_path, sample_rate=16_000, seconds=1.0)
    files = {file.relative_to(folder).as_posix() for file in folder.rglob("*.*")}
    stems = {f"stems/{tag}.wav" for tag in query.conditioning.tags}
    assert files == {"conditioning.wav", "prompt.txt", "query.json", *stems}
    assert soundfile.info(folder / "conditioning.wav").frames == 16_000


def test_a_file_of_audio_holds_no_time_of_writing(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    write_wav_whole(tmp_path / "a.wav", samples, 44_100)
    assert b"PEAK" not in (tmp_path / "a.wav").read_bytes()
    read, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert rate == 44_100 and np.array_equal(read, samples)
