"""The example songs that come with the package: those of the repository, scored as the README says, copied whole."""

from pathlib import Path

import pytest

from cocola_metric import CocolaScorer, examples
from cocola_metric.cli.examples import main
from cocola_metric.errors import OutputError
from cocola_metric.example_songs import write_examples

ROOT = Path(__file__).parents[1]
NAMES = ["harbour/drums.flac", "harbour/bass.flac", "harbour/keys.flac"]


def test_they_are_those_of_the_repository() -> None:
    songs = examples()
    for name, file in zip(NAMES, [*songs.conditioning, songs.accompaniment], strict=True):
        assert file.read_bytes() == (ROOT / "examples" / name).read_bytes()


def test_the_scores_are_those_of_the_readme() -> None:
    songs = examples()
    scorer = CocolaScorer.from_pretrained(device="cpu")
    assert round(scorer.score(songs.conditioning, songs.accompaniment), 4) == 16.8258
    assert round(scorer.score(songs.conditioning, ROOT / "examples" / "lantern" / "bass.flac"), 2) == 3.71


def test_the_command_writes_what_its_line_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    main([])
    line = "cocola-score -c examples/harbour/drums.flac examples/harbour/bass.flac -a examples/harbour/keys.flac\n"
    assert capsys.readouterr().out == line and line in (ROOT / "README.md").read_text("utf-8")
    written = sorted(file.relative_to("examples").as_posix() for file in Path("examples").rglob("*.flac"))
    assert written == sorted(NAMES)
    before = {name: Path("examples", name).stat().st_mtime_ns for name in NAMES}
    main([])
    assert before == {name: Path("examples", name).stat().st_mtime_ns for name in NAMES}
    main(["my music"])
    assert "-a 'my music/harbour/keys.flac'" in capsys.readouterr().out


def test_a_file_of_ones_own_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / NAMES[2]
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"keys\.flac: holds something else than the example of this name"):
        write_examples(tmp_path)
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path)])
    assert end.value.code == 1 and capsys.readouterr().err.count("\n") == 1
    assert mine.read_bytes() == b"mine" and [file.name for file in tmp_path.rglob("*.flac")] == ["keys.flac"]
