"""Table 3: stages that do nothing twice, numbers that can be audited, and cells that say why they are empty."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from cocola_metric import CocolaScorer, SubFAD
from cocola_metric.benchmarks.generators.degraded import Artefacts, degrade, make_degraded
from cocola_metric.benchmarks.generators.folder import open_generated, write_about
from cocola_metric.benchmarks.queries.audio import QueryAudio, note_corpus, open_tracks
from cocola_metric.benchmarks.queries.draw import draw_queries
from cocola_metric.benchmarks.queries.manifest import Query, write_queries
from cocola_metric.benchmarks.table3 import commands, metrics
from cocola_metric.benchmarks.table3.answers import Answers, RealMusic, RememberingAudio
from cocola_metric.benchmarks.table3.data import (
    Cell,
    Column,
    Row,
    Section,
    Table,
    published_value,
    system_without_weights,
    why_missing,
)
from cocola_metric.benchmarks.table3.markdown import table_3_markdown
from cocola_metric.benchmarks.table3.scoring import by_track, score_answers
from cocola_metric.benchmarks.table3.statistics import summarize
from cocola_metric.errors import AudioError, UsageError

RATE = 22_050
SECONDS = 1.0
COUNT = 6
SIGNATURE = "FAKE|v:1"
INNER = slice(200, -200)  # a file ends where its query does, and the resampler hears that


class FakeScores:
    """What `iter_scores` gives."""

    mean_echo, mean_noise = 0.1, 0.2

    def __init__(self, mean: float) -> None:
        self.mean, self.scores = mean, (mean, mean)


class FakeScorer(CocolaScorer):
    """Scores by levels: louder accompaniment, higher score; counts what it is asked."""

    def __init__(self, *, recipe: str = SIGNATURE, fails_after: int = 1000) -> None:
        self.recipe, self.fails_after, self.asked = recipe, fails_after, 0
        self.name = "fake"

    @property
    def signature(self) -> str:
        return self.recipe

    def iter_scores(self, pairs, *, sample_rate=None):
        for given, answer in pairs:
            assert given.shape == answer.shape and sample_rate == 16_000
            if self.asked >= self.fails_after:
                raise KeyboardInterrupt
            self.asked += 1
            loud = float(np.sqrt(np.mean(np.square(answer))))
            yield FakeScores(float("nan") if loud == 0 else 100 * loud - float(np.sqrt(np.mean(np.square(given)))))


class FakeEmbedder:
    """Embeds by levels of eight parts of a clip; counts what it is asked."""

    name, sample_rate, recipe, parallel = "fake", 16_000, "embedder:fake", False

    def __init__(self) -> None:
        self.asked = 0

    def embed(self, waveform: np.ndarray) -> np.ndarray:
        self.asked += 1
        parts = np.asarray(waveform)[: len(waveform) // 8 * 8].reshape(8, -1)
        return np.abs(parts).mean(axis=1).reshape(2, 4).astype(np.float64)


def write_songs(root: Path) -> Path:
    rng = np.random.default_rng(0)
    time = np.arange(3 * RATE) / RATE
    for song in range(3):
        (root / f"song{song}").mkdir(parents=True)
        for stem in range(3):
            tone = 0.1 * (stem + 1) * np.sin(2 * np.pi * 200 * (song + stem + 1) * time)
            tone *= 1 + 0.5 * np.sin(2 * np.pi * (song + 1) * time / 3)
            noise = rng.normal(0, 0.01, len(time))
            soundfile.write(root / f"song{song}" / f"stem{stem}.wav", tone + noise, RATE, subtype="FLOAT")
    return root


class Bench:
    """A corpus, its manifest, and the folder of a table."""

    def __init__(self, root: Path, count: int = COUNT, dataset: str = "songs") -> None:
        self.corpus = write_songs(root / "corpus")
        self.tracks = open_tracks(str(self.corpus))
        self.queries: list[Query] = draw_queries(self.tracks, dataset=dataset, count=count, seconds=SECONDS)
        self.manifest, self.out = root / "queries.jsonl", root / "table"
        self.sha256 = write_queries(self.manifest, self.queries)
        note_corpus(self.manifest, str(self.corpus))
        self.audio = RememberingAudio(self.tracks)

    def folder(self, root: Path, content: str = "accompaniment", *, silent: Sequence[str] = ()) -> Path:
        """Somebody's answers: the target at half its level."""
        root.mkdir(exist_ok=True)
        for query in self.queries:
            answer = self.audio.target(query, RATE) / 2 * (query.id not in silent)
            if content == "full_mix":
                answer = answer + self.audio.conditioning(query, RATE)
            soundfile.write(root / f"{query.id}.wav", answer, RATE, subtype="FLOAT")
        write_about(root, self.sha256, content, {"generator": "Mine"})
        return root

    def answers(self, root: Path) -> Answers:
        return Answers(open_generated(root, self.sha256), self.audio)

    def run(self, *generators: str, options: Sequence[str] = ()) -> dict:
        arguments = ["--queries", str(self.manifest), "--out", str(self.out), "--encoders", "embedded"]
        commands.table3([*arguments, "--generators", *generators, *options])
        return json.loads((self.out / "table3.json").read_text())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> tuple[FakeScorer, FakeEmbedder]:
    scorer, embedder = FakeScorer(), FakeEmbedder()
    monkeypatch.setattr(metrics.CocolaScorer, "from_pretrained", lambda *_, **__: scorer)
    monkeypatch.setattr(metrics, "new_embedder", lambda _: embedder)
    return scorer, embedder


# Statistics


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    tracks = [f"track {number // 5}" for number in range(150)]
    inside = 0
    for _ in range(200):
        scores = np.repeat(rng.normal(3, 2, 30), 5) + rng.normal(0, 0.5, 150)
        low, high = summarize(scores.tolist(), tracks, resamples=400).interval
        inside += low < 3 < high
    assert 0.88 <= inside / 200 <= 0.99


def test_windows_of_one_track_do_not_count_as_so_many_tracks() -> None:
    scores = np.random.default_rng(0).normal(0, 1, 12).repeat(20)
    apart = summarize(scores.tolist(), [str(number) for number in range(240)]).interval
    joined = summarize(scores.tolist(), [str(number // 20) for number in range(240)]).interval
    assert joined[1] - joined[0] > 3 * (apart[1] - apart[0])


def test_a_summary_is_exact_and_repeatable() -> None:
    summary = summarize([1.0, 2.0, 6.0], ["a", "b", "b"])
    assert (summary.mean, summary.n, summary.tracks) == (3.0, 3, 2)
    assert summary.deviation == pytest.approx(np.std([1, 2, 6], ddof=1))
    assert summary.interval == summarize([1.0, 2.0, 6.0], ["a", "b", "b"]).interval == (1.0, 4.0)
    assert np.isnan(summarize([1.0, 2.0], ["a", "a"]).interval).all()
    for scores, tracks in (([], []), ([1.0], []), ([float("nan")], ["a"])):
        with pytest.raises(UsageError):
            summarize(scores, tracks)


# The score stage


def test_scores_are_of_conditioning_and_answer_alone(bench: Bench, tmp_path: Path) -> None:
    whole, alone = bench.folder(tmp_path / "mix", "full_mix"), bench.folder(tmp_path / "alone")
    for query in bench.queries:
        expected = bench.audio.conditioning(query, 16_000), bench.audio.target(query, 16_000) / 2
        for folder in (whole, alone):
            answers = bench.answers(folder)
            for heard, wanted in zip(answers.pair(query, 16_000), expected, strict=True):
                np.testing.assert_allclose(heard[INNER], wanted[INNER], atol=1e-4)
            np.testing.assert_allclose(answers.mix(query, 16_000)[INNER], sum(expected)[INNER], atol=1e-4)


def test_a_second_run_computes_nothing_and_one_that_was_stopped_goes_on(bench: Bench, tmp_path: Path) -> None:
    answers, file = bench.answers(bench.folder(tmp_path / "mine")), tmp_path / "scores.jsonl"
    with pytest.raises(KeyboardInterrupt):
        score_answers(FakeScorer(fails_after=2), bench.queries, answers, file)
    file.write_text(file.read_text() + '{"id": "00')  # and the machine went down
    scorer = FakeScorer()
    resumed = score_answers(scorer, bench.queries, answers, file)
    assert (resumed.kept, resumed.computed, scorer.asked) == (2, COUNT - 2, COUNT - 2)
    before = file.stat().st_mtime_ns
    again = score_answers(scorer, bench.queries, answers, file)
    assert (again.kept, again.computed) == (COUNT, 0)
    assert again.scores == resumed.scores == score_answers(FakeScorer(), bench.queries, answers, tmp_path / "b").scores
    assert file.stat().st_mtime_ns == before


def test_what_changes_a_score_changes_its_key(bench: Bench, tmp_path: Path) -> None:
    root, file = bench.folder(tmp_path / "mine"), tmp_path / "scores.jsonl"

    def computed(audio: QueryAudio, **options: str) -> int:
        answers = Answers(open_generated(root, bench.sha256), audio)
        return score_answers(FakeScorer(**options), bench.queries, answers, file).computed

    assert computed(bench.audio) == COUNT
    assert computed(bench.audio, recipe="FAKE|v:2") == COUNT
    assert computed(RememberingAudio(bench.tracks, band=2_000.0), recipe="FAKE|v:2") == COUNT
    assert computed(bench.audio, recipe="FAKE|v:2") == COUNT
    changed = root / f"{bench.queries[0].id}.wav"
    soundfile.write(changed, soundfile.read(changed)[0] / 2, RATE, subtype="FLOAT")
    assert computed(bench.audio, recipe="FAKE|v:2") == 1
    stem = bench.corpus / bench.queries[1].conditioning.track / f"{bench.queries[1].conditioning.parts[0].stems[0]}.wav"
    soundfile.write(stem, soundfile.read(stem)[0] / 2, RATE, subtype="FLOAT")
    touched = {query.id for query in bench.queries if _hears(query, stem)}
    assert computed(RememberingAudio(bench.tracks), recipe="FAKE|v:2") == len(touched) < COUNT


def _hears(query: Query, stem: Path) -> bool:
    given = query.conditioning
    return given.track == stem.parent.name and any(stem.stem in part.stems for part in given.parts)


def test_a_band_is_limited_on_both_sides(bench: Bench, tmp_path: Path) -> None:
    root, query = bench.folder(tmp_path / "mine"), bench.queries[0]
    limited = Answers(open_generated(root, bench.sha256), RememberingAudio(bench.tracks, band=1_000.0))
    for whole, narrow in zip(bench.answers(root).pair(query, 16_000), limited.pair(query, 16_000), strict=True):
        high = [
            np.abs(np.fft.rfft(side * np.hanning(len(side))))[round(1_500 * SECONDS) :].max()
            for side in (whole, narrow)
        ]
        assert high[1] < 0.1 * high[0]


def test_a_missing_answer_is_an_error(bench: Bench, tmp_path: Path) -> None:
    root = bench.folder(tmp_path / "mine")
    (root / f"{bench.queries[2].id}.wav").unlink()
    with pytest.raises(AudioError, match=bench.queries[2].id):
        score_answers(FakeScorer(), bench.queries, bench.answers(root), tmp_path / "scores.jsonl")


# The degraded generator


@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_degraded_audio_has_the_band_and_the_noise_asked_for(rate: int) -> None:
    tone = np.sin(np.arange(rate) * 2 * np.pi * 500 / rate).astype(np.float32)
    noisy = degrade(tone, rate, Artefacts(band=2_000, snr=10), np.random.default_rng(0))
    assert 20 * np.log10(np.std(tone) / np.std(noisy - tone)) == pytest.approx(10, abs=0.3)
    high = np.sin(np.arange(rate) * 2 * np.pi * 5_000 / rate).astype(np.float32)
    assert np.std(degrade(high, rate, Artefacts(2_000, 80), np.random.default_rng(0))) < 0.02


@pytest.mark.parametrize("argument", ["loud", "snr=x", "gain=3", "band=-1"])
def test_settings_of_degraded_are_checked(bench: Bench, argument: str) -> None:
    with pytest.raises(UsageError, match="degraded"):
        make_degraded(argument, bench.audio)
    assert make_degraded("snr=20", bench.audio).artefacts == Artefacts(snr=20.0)


# The table


def test_a_cell_can_be_audited(bench: Bench, fakes: tuple[FakeScorer, FakeEmbedder]) -> None:
    table = bench.run("ground_truth", "random")
    section = table["sections"][0]
    assert section["queries_sha256"] == bench.sha256
    assert [column["signature"] for column in table["columns"]] == [SIGNATURE, "sub-FAD|embedder:fake"]
    for row in section["rows"]:
        cell = row["cells"]["COCOLA fake"]
        lines = (bench.out / cell["scores"]).read_text().splitlines()
        scores = [json.loads(line)["score"] for line in lines]
        assert cell["value"] == pytest.approx(np.mean(scores))
        assert (cell["n"], cell["tracks"]) == (COUNT, 3)


def test_sub_fad_is_that_of_the_library(bench: Bench, fakes: tuple[FakeScorer, FakeEmbedder]) -> None:
    cells = {
        row["generator"]: row["cells"]["sub-FAD cocola"]
        for row in bench.run("ground_truth", "random")["sections"][0]["rows"]
    }
    assert cells["Ground Truth"]["missing"] == "is the reference"
    fad, real = SubFAD(FakeEmbedder(), cache=None), RealMusic(bench.audio)
    mixes = [bench.audio.conditioning(one, 16_000) + bench.audio.donor(one, 16_000) for one in bench.queries]
    generated = [fad.embedder.embed(torch.from_numpy(mix)) for mix in mixes]
    reference = [fad.embedder.embed(torch.from_numpy(real.mix(one, 16_000))) for one in bench.queries]
    expected = fad.compare(by_track(bench.queries, generated), by_track(bench.queries, reference))
    assert cells["Random"]["value"] == pytest.approx(expected.fad, rel=0.02)
    assert cells["Random"]["circumstances"]["tracks"] == 3


def test_nothing_is_computed_twice(bench: Bench, fakes: tuple[FakeScorer, FakeEmbedder]) -> None:
    scorer, embedder = fakes
    first = bench.run("ground_truth", "random")
    asked = scorer.asked, embedder.asked
    assert asked == (2 * COUNT, 2 * COUNT)
    page = (bench.out / "table3.html").read_bytes()
    assert bench.run("ground_truth", "random") == first
    assert (scorer.asked, embedder.asked) == asked
    assert len((bench.out / "table3.html").read_bytes()) == len(page)
    bench.run("ground_truth", "random", "degraded")
    assert (scorer.asked, embedder.asked) == (3 * COUNT, 3 * COUNT)


def test_stages_can_be_run_one_by_one(bench: Bench, fakes: tuple[FakeScorer, FakeEmbedder], capsys) -> None:
    arguments = ["--queries", str(bench.manifest), "--out", str(bench.out), "--generators", "random", "--until"]
    commands.table3([*arguments, "generate"])
    assert fakes[0].asked == 0 and len(list(bench.out.rglob("*.wav"))) == COUNT
    commands.table3([*arguments, "score"])
    assert fakes[0].asked == COUNT and not (bench.out / "table3.md").exists()
    commands.table3([*arguments, "table"])
    assert fakes[0].asked == COUNT and (bench.out / "table3.md").exists()
    assert "table3.html" in capsys.readouterr().out


def test_silent_answers_are_counted_not_averaged(
    bench: Bench, tmp_path: Path, fakes: tuple[FakeScorer, FakeEmbedder]
) -> None:
    folder = bench.folder(tmp_path / "mine", silent=[query.id for query in bench.queries[:2]])
    cell = bench.run(f"folder:{folder}")["sections"][0]["rows"][0]["cells"]["COCOLA fake"]
    assert (cell["n"], cell["silent"]) == (COUNT - 2, 2)
    assert "2 answers are silent" in (bench.out / "table3.md").read_text()
    folder = bench.folder(tmp_path / "mute", silent=[query.id for query in bench.queries])
    cell = bench.run(f"folder:{folder}")["sections"][0]["rows"][0]["cells"]["COCOLA fake"]
    assert (cell["value"], cell["missing"]) == (None, "silent throughout")


def test_the_loudest_of_several_answers_is_taken_and_said(bench: Bench, fakes: tuple[FakeScorer, FakeEmbedder]) -> None:
    table = bench.run("degraded", "random", options=["--candidates", "degraded=3"])
    assert [row["candidates"] for row in table["sections"][0]["rows"]] == [3, 1]
    assert "| Degraded (best of 3) |" in (bench.out / "table3.md").read_text()
    notes = [json.loads(path.read_text()) for path in bench.out.rglob("answers/degraded-*/0*.json")]
    assert len(notes) == COUNT and all(len(note["norms"]) == 3 for note in notes)


def test_two_generators_of_one_name_are_refused(
    bench: Bench, tmp_path: Path, fakes: tuple[FakeScorer, FakeEmbedder], capsys
) -> None:
    folders = [bench.folder(tmp_path / name) for name in ("one", "other")]
    with pytest.raises(SystemExit) as ended:
        bench.run(*(f"folder:{folder}" for folder in folders))
    assert ended.value.code and "are both named" in capsys.readouterr().err


def test_the_page_has_examples_of_every_generator_within_its_limit(
    bench: Bench, fakes: tuple[FakeScorer, FakeEmbedder]
) -> None:
    bench.run("ground_truth", "random")
    page = (bench.out / "table3.html").read_text()
    assert page.count("<audio") == 2 * 2 * 4 + 3 * (2 + 2)  # generators, players, examples; queries, real and answers
    bench.run("ground_truth", "random", options=["--audio-megabytes", "0.1"])
    smaller = (bench.out / "table3.html").read_text()
    assert 0 < smaller.count("<audio") < page.count("<audio")
    assert len(smaller) < 0.1e6 + 40_000


# Cells without numbers


def test_rows_without_weights_say_so(bench: Bench, fakes: tuple[FakeScorer, FakeEmbedder]) -> None:
    rows = bench.run("random", "msdm", "componet", "stemgen")["sections"][0]["rows"]
    reasons = {row["generator"]: {cell["missing"] for cell in row["cells"].values()} for row in rows}
    assert reasons == {
        "Random": {""},
        "MSDM": {"weights not on this machine"},
        "CompoNet": {"weights not on this machine"},
        "StemGen": {"not released"},
    }
    assert all(cell["value"] is None for row in rows[1:] for cell in row["cells"].values())


def test_what_was_never_released() -> None:
    assert system_without_weights("msdm") == "MSDM" and system_without_weights("msdm:file.ckpt") is None
    assert why_missing("MSDM", "musdb18hq") == why_missing("AUDIT", "slakh2100") == "not released"
    assert why_missing("CompoNet", "musdb18hq") == why_missing("MSDM", "songs") == "weights not on this machine"


@pytest.mark.parametrize(
    ("dataset", "name", "reason"),
    [("songs", "Mine", "plays no stem1"), ("songs", "MSDM", "plays no stem1"), ("musdb18hq", "MSDM", "not released")],
)
def test_a_system_says_what_it_cannot_answer(
    tmp_path: Path, fakes: tuple[FakeScorer, FakeEmbedder], dataset: str, name: str, reason: str
) -> None:
    bench = Bench(tmp_path, dataset=dataset)
    folder = bench.folder(tmp_path / "mine")
    reasons = {query.id: "plays no stem1" for query in bench.queries}
    write_about(folder, bench.sha256, "accompaniment", {"generator": name, "unsupported": reasons})
    row = bench.run(f"folder:{folder}")["sections"][0]["rows"][0]
    assert {cell["missing"] for cell in row["cells"].values()} == {reason}
    assert (row["answered"], row["unsupported"]) == (0, {"plays no stem1": COUNT})
    reasons.pop(bench.queries[0].id)
    reasons.pop(bench.queries[1].id)
    write_about(folder, bench.sha256, "accompaniment", {"generator": name, "unsupported": reasons})
    row = bench.run(f"folder:{folder}")["sections"][0]["rows"][0]
    assert row["answered"] == row["cells"]["COCOLA fake"]["n"] == 2
    assert f"{COUNT - 2} of {COUNT} queries not answered: plays no stem1" in (bench.out / "table3.md").read_text()


def test_columns_without_weights_say_so(bench: Bench) -> None:
    options = ["--encoders", "all", "mine=/no/such/place", "--embedders"]
    table = bench.run("random", options=options)
    assert [column["missing"] for column in table["columns"]] == ["weights not on this machine"] * 2
    assert "download the .ckpt" in table["columns"][0]["detail"]
    cells = table["sections"][0]["rows"][0]["cells"]
    assert {cell["missing"] for cell in cells.values()} == {"weights not on this machine"}
    assert "| Random | 6 | weights not on this machine |" in (bench.out / "table3.md").read_text()


@pytest.mark.parametrize("name", ["clap", "encodec", "vggish"])
def test_the_paper_s_embedders_are_columns(bench: Bench, name: str, monkeypatch) -> None:
    """Without the extra, or without weights, the column says so; the others have their numbers."""
    monkeypatch.setitem(sys.modules, "frechet_audio_distance", None)
    table = bench.run("random", options=["--encoders", "--embedders", name])
    [column] = [column for column in table["columns"] if column["kind"] == "sub-FAD"]
    assert (column["name"], column["missing"]) == (name, "extra [fad] not installed") and column["detail"]
    [row] = table["sections"][0]["rows"]
    assert row["cells"][f"sub-FAD {name}"]["missing"] == "extra [fad] not installed"
    assert published_value("slakh2100", "Random", Column("sub-FAD", name)) in (0.064, 51.44, 0.16)


def test_published_values_stand_beside_ours_and_never_in_their_place() -> None:
    every, other = Column("COCOLA", "all", missing="weights not on this machine"), Column("COCOLA", "embedded", "S")
    assert published_value("slakh2100", "Random", every) == 0.069
    assert published_value("slakh2100", "Random", other) is None
    assert published_value("songs", "Random", every) is None
    assert published_value("slakh2100", "MSDM", every) == 3.31
    assert published_value("slakh2100", "MSDM, small, ours", every) is None  # it is not the paper's
    cells = {
        every.label: Cell(missing=every.missing, published=11.61),
        other.label: Cell(2.0, 1.0, (1.0, 3.0), 9, 3),
    }
    section = Section("musdb18hq", "test", 6.0, 9, 3, "0" * 64, [Row("MSDM", "msdm:x", 1, 9, {}, cells)])
    text = table_3_markdown(Table([every, other], [section]))
    assert "| generator | n | COCOLA all | published | COCOLA embedded |" in text
    assert "| MSDM | 9 | weights not on this machine | 11.61 | 2.00 ± 1.00 [1.00, 3.00] |" in text
    assert "## MUSDB18-HQ" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--generators", "nobody"], "or a system of the paper; got 'nobody'"),
        (["--generators", "random", "random"], "twice"),
        (["--candidates", "random"], "NAME=N"),
        (["--encoders", "embedded", "embedded"], "twice"),
    ],
)
def test_errors_name_the_way_out(
    bench: Bench, fakes: tuple[FakeScorer, FakeEmbedder], options: list[str], message: str, capsys
) -> None:
    with pytest.raises(SystemExit) as stopped:
        commands.table3(["--queries", str(bench.manifest), "--out", str(bench.out), *options])
    assert stopped.value.code == 1
    assert message in capsys.readouterr().err


def test_two_manifests_make_two_sections(tmp_path: Path, fakes: tuple[FakeScorer, FakeEmbedder]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = Bench(tmp_path / "a"), Bench(tmp_path / "b", dataset="others")
    table = first.run("random", options=["--queries", str(second.manifest)])
    assert [section["dataset"] for section in table["sections"]] == ["songs", "others"]
    with pytest.raises(SystemExit):
        first.run("random", options=["--queries", str(first.manifest)])
