"""Audio at addresses: the scores of the same files here, from a stand-in for S3; errors in one line; nothing kept."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_ray import FakeRay
from pair_lists import DAMAGED, write_pairs
from s3_server import BUCKET, Bucket, refusing, serving_s3, settings

from cocola_metric import CocolaScorer, remote
from cocola_metric.addresses import Address, located
from cocola_metric.audio import open_audio, read_audio
from cocola_metric.cli import fad, score
from cocola_metric.errors import AudioError

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Let nothing that one test has read serve another."""
    yield
    for kept in (remote._known, remote._recent):
        kept.clear()
    remote._store.cache_clear()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with serving_s3() as bucket:
        for name, value in settings(bucket.url).items():
            monkeypatch.setenv(name, value)
        yield bucket


@pytest.fixture
def songs(s3: Bucket) -> Bucket:
    for song in ("harbour", "lantern"):
        s3.put({f"{song}/{file.name}": file.read_bytes() for file in sorted((EXAMPLES / song).glob("*.flac"))})
    return s3


@pytest.mark.parametrize(
    ("text", "scheme", "key"),
    [
        ("s3://bucket/a b/mix.wav", "s3", "bucket/a b/mix.wav"),
        ("hf://datasets/one/two/mix.wav", "hf", "datasets/one/two/mix.wav"),
        ("memory://mix.wav", "memory", "mix.wav"),
    ],
)
def test_an_address_stays_one_as_a_path(text: str, scheme: str, key: str) -> None:
    address = located(text)
    assert isinstance(address, Address) and str(address) == text == os.fspath(address)
    assert (address.scheme, address.key, address.suffix) == (scheme, key, ".wav")
    assert located(Path(text)) == address == located(address)
    assert address.parent / "mix.wav" == address and {address: 1}[located(text)] == 1


@pytest.mark.parametrize("text", ["mix.wav", "/music/mix.wav", "C:/mix.wav", "a:b/mix.wav", "x/s3://mix.wav"])
def test_a_path_stays_a_path(text: str) -> None:
    assert located(text) == Path(text) and not isinstance(located(text), Address)


def test_a_folder_named_as_a_scheme_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s3:").mkdir()
    assert located("s3:/mix.wav") == Path("s3:/mix.wav") and isinstance(located("s3://mix.wav"), Address)
    assert located("file:///music/mix.wav") == Path("/music/mix.wav")


def test_a_score_is_that_of_the_same_files_here(songs: Bucket, capsys: pytest.CaptureFixture[str]) -> None:
    scorer = CocolaScorer.from_pretrained(device="cpu")
    there = f"s3://{BUCKET}/harbour"
    assert scorer.score(f"{there}/bass.flac", Path(f"{there}/keys.flac")) == scorer.score(
        EXAMPLES / "harbour/bass.flac", EXAMPLES / "harbour/keys.flac"
    )
    stems = ["-c", f"{there}/drums.flac", f"{there}/bass.flac", "-a", f"{there}/keys.flac"]
    assert score.main([*stems, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["score"] == 16.8258


def test_every_format_is_read_in_blocks(
    s3: Bucket, data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(remote, "BLOCK", 10_000)
    monkeypatch.setattr(remote, "RECENT", 25_000)
    files = [data / f"accompaniment.{suffix}" for suffix in ("wav", "flac", "ogg", "mp3", "aiff")]
    s3.put({file.name: file.read_bytes() for file in files})
    for file in files:
        assert (read_audio(f"s3://{BUCKET}/{file.name}") == read_audio(file)).all()
    assert sum(map(len, remote._recent.values())) <= 25_000


def test_nothing_but_the_header_is_fetched_of_a_large_file(s3: Bucket, data: Path, monkeypatch) -> None:
    monkeypatch.setattr(remote, "BLOCK", 10_000)
    content = (data / "accompaniment.wav").read_bytes()
    s3.put({"long.wav": content})
    assert open_audio(f"s3://{BUCKET}/long.wav").length
    assert sum(map(len, remote._recent.values())) < len(content) / 2


def test_folders_lists_and_rankings(songs: Bucket, tmp_path: Path, capsys) -> None:
    lines = [
        "conditioning,accompaniment",
        "drums.flac;bass.flac,keys.flac",
        f"bass.flac,s3://{BUCKET}/lantern/keys.flac",
    ]
    songs.put({"harbour/pairs.csv": "\n".join(lines).encode()})
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    for name in ("drums", "bass", "keys"):
        (tmp_path / f"{name}.flac").write_bytes((EXAMPLES / "harbour" / f"{name}.flac").read_bytes())
    scores = []
    for number, manifest in enumerate((f"s3://{BUCKET}/harbour/pairs.csv", str(tmp_path / "pairs.csv"))):
        out = tmp_path / f"{number}.csv"
        assert score.main(["--pairs", manifest, "--out", str(out), "--quiet"]) == 0
        scores.append([line.split(",")[:4] for line in out.read_text().splitlines()])
    assert scores[0] == scores[1] and len(scores[0]) == 3
    capsys.readouterr()
    assert score.main(["rank", f"s3://{BUCKET}/harbour/bass.flac", f"s3://{BUCKET}/lantern", "--json"]) == 0
    ranking = json.loads(capsys.readouterr().out)["ranking"]
    assert {entry["candidate"] for entry in ranking} == {
        f"s3://{BUCKET}/lantern/{file.name}" for file in (EXAMPLES / "lantern").glob("*.flac")
    }
    command = ["--generated", "{}/lantern", "--reference", "{}/harbour", "--no-cache", "--quiet"]
    printed = []
    for place in (f"s3://{BUCKET}", str(EXAMPLES)):
        assert fad.main([text.format(place) for text in command]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    statistics = tmp_path / "real.npz"
    assert fad.main([text.format(EXAMPLES) for text in command] + ["--save-reference", str(statistics)]) == 0
    songs.put({"real.npz": statistics.read_bytes()})
    command[3] = "{}/real.npz"
    capsys.readouterr()
    assert fad.main([text.format(f"s3://{BUCKET}") for text in command]) == 0
    assert json.loads(capsys.readouterr().out)["fad"] == json.loads(printed[0])["fad"]


@pytest.mark.parametrize("engine", ["in-process", "ray"])
def test_a_run_goes_on_and_finds_objects_by_what_the_store_says(
    s3: Bucket, ray: FakeRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, capsys
) -> None:
    (tmp_path / "here").mkdir()
    manifest = write_pairs(tmp_path / "here", 12)
    s3.put({f"many/{file.name}": file.read_bytes() for file in (tmp_path / "here").iterdir()})
    out, here = tmp_path / "there.csv", tmp_path / "here.csv"
    command = ["--pairs", f"s3://{BUCKET}/many/{manifest.name}", "--out", str(out), "--engine", engine]
    assert score.main(command) == score.main(["--pairs", str(manifest), "--out", str(here)]) == 1
    cut = [[line.split(",")[:10] for line in file.read_text().splitlines()] for file in (out, here)]
    assert cut[0] == cut[1] and f"1_{DAMAGED:02}.wav holds no audio" in out.read_text()
    whole = out.read_bytes()
    out.write_bytes(b"".join(whole.splitlines(keepends=True)[:7]))
    monkeypatch.setattr(remote, "LISTED", 4)
    capsys.readouterr()
    assert score.main(command) == 1 and out.read_bytes() == whole
    assert json.loads(capsys.readouterr().out)["reused"] == 5  # of six rows, one is of the damaged file
    remote._known.clear()
    s3.put({"many/1_00.wav": (tmp_path / "here/1_06.wav").read_bytes()})
    assert score.main(command) == 1 and out.read_bytes() != whole
    assert json.loads(capsys.readouterr().out)["reused"] == 10


def test_what_is_not_there_costs_its_pair_alone(songs: Bucket, tmp_path: Path, capsys) -> None:
    there = f"s3://{BUCKET}/harbour"
    manifest = tmp_path / "pairs.csv"
    rows = [f"{there}/bass.flac,{there}/nothing.flac", f"s3://nowhere/a.wav,{there}/keys.flac"]
    manifest.write_text("\n".join(["conditioning,accompaniment", *rows, f"{there}/bass.flac,{there}/keys.flac"]))
    out = tmp_path / "scores.csv"
    assert score.main(["--pairs", str(manifest), "--out", str(out)]) == 1
    text = out.read_text()
    assert f"{there}/nothing.flac: no such object; check the address" in text
    assert "s3://nowhere/a.wav: no such object; check the address" in text
    assert json.loads(capsys.readouterr().out)["scored"] == 1


@pytest.mark.parametrize(
    ("status", "code", "problem", "most"),
    [
        (403, "AccessDenied", r"may not be read \(.*\); check the credentials", 4),
        (503, "SlowDown", "cannot be read", 100),
    ],
)
def test_a_store_that_refuses_is_an_error_of_the_file(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str, problem: str, most: int
) -> None:
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'cocola-metric[remote]'")
    monkeypatch.setattr(remote, "WAITS", (0.0,))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    with refusing(status, code) as server:
        for name, value in settings(server.url).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(AudioError, match=f"^s3://{BUCKET}/mix.wav {problem}"):
            open_audio(f"s3://{BUCKET}/mix.wav")
        assert 1 <= len(server.requests) <= most


def test_no_network_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'cocola-metric[remote]'")
    monkeypatch.setattr(remote, "WAITS", ())
    for name, value in (settings("http://127.0.0.1:9") | {"AWS_MAX_ATTEMPTS": "1"}).items():
        monkeypatch.setenv(name, value)
    assert score.main([f"s3://{BUCKET}/a.wav", f"s3://{BUCKET}/b.wav"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"cocola-score: s3://{BUCKET}/a.wav cannot be read (Could not connect"), line


def test_errors_of_the_network_are_tried_again(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    store = remote._store("memory")
    store.pipe("/mix.flac", (data / "accompaniment.flac").read_bytes())
    failures, waited = [ConnectionResetError("reset"), TimeoutError("timed out")], []
    fetch = type(store).cat_file

    def flaky(self, path, start=None, end=None, **options):
        if failures:
            raise failures.pop()
        return fetch(self, path, start=start, end=end, **options)

    monkeypatch.setattr(type(store), "cat_file", flaky)
    monkeypatch.setattr(time, "sleep", waited.append)
    assert (read_audio("memory://mix.flac") == read_audio(data / "accompaniment.flac")).all()
    assert waited == list(remote.WAITS)


def test_an_object_that_changes_is_told(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    store = remote._store("memory")
    store.pipe("/mix.flac", (data / "accompaniment.flac").read_bytes())
    audio = open_audio("memory://mix.flac")
    remote._recent.clear()
    store.pipe("/mix.flac", b"short")
    with pytest.raises(AudioError, match=r"memory://mix.flac was changed while it was read; score it again"):
        list(audio.blocks())


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("https://example.com/mix.wav", "https:// is not read from; addresses begin with s3://, gs://, hf://"),
        ("memory://empty.wav", "memory://empty.wav is empty"),
        ("memory://text.wav", "memory://text.wav cannot be read as audio"),
        ("memory://folder", "memory://folder is a folder"),
    ],
)
def test_what_cannot_be_scored_is_told(address: str, problem: str) -> None:
    store = remote._store("memory")
    store.pipe("/empty.wav", b"")
    store.pipe("/text.wav", b"no audio at all")
    store.pipe("/folder/mix.wav", b"no audio at all")
    with pytest.raises(AudioError, match=problem):
        open_audio(address)


def test_a_missing_package_is_one_line_that_names_the_extra(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    assert score.main(["gs://music/a.wav", "gs://music/b.wav"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("cocola-score: gs:// needs gcsfs (") and line.endswith("pip install 'cocola-metric[remote]'")


def test_the_hub_is_not_asked_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub.hf_file_system")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(AudioError, match=r"^hf://datasets/one/two/mix.wav cannot be read"):
        open_audio("hf://datasets/one/two/mix.wav")


@pytest.mark.parametrize("option", ["--out", "--plot"])
def test_results_are_written_here(option: str, capsys) -> None:
    with pytest.raises(SystemExit):
        score.main(["a.wav", "b.wav", option, "s3://music/scores.csv"])
    assert "must be a file of this machine, to copy from here later; got s3://music" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["--help"], ["{a}", "{b}"], ["--pairs", "{pairs}", "--out", "{pairs}.out.csv"]], ids=str
)
def test_files_of_this_machine_need_neither_package(command: list[str], data: Path, tmp_path: Path) -> None:
    files = {"a": data / "conditioning.flac", "b": data / "accompaniment.flac", "pairs": tmp_path / "pairs.csv"}
    files["pairs"].write_text(f"conditioning,accompaniment\n{files['a']},{files['b']}\n")
    code = (
        "import sys\nfrom cocola_metric.cli import score\n"
        f"try:\n    score.main({[text.format(**files) for text in command]!r})\nexcept SystemExit:\n    pass\n"
        "print(sorted({'ray', 'fsspec', 's3fs', 'cocola_metric.ray_pool'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"
