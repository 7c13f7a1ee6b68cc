"""The scripts in examples/ do what they say, on short pieces of the example songs."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import soundfile

EXAMPLES = Path(__file__).parents[1] / "examples"
RATE, SECONDS = 16_000, 6


def script(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of two songs, as SONG/STEM.flac."""
    folder = tmp_path_factory.mktemp("songs")
    for song in ("harbour", "foundry"):
        (folder / song).mkdir()
        for file in (EXAMPLES / song).glob("*.flac"):
            samples, _ = soundfile.read(file, start=2 * RATE, frames=SECONDS * RATE)
            soundfile.write(folder / song / file.name, samples, RATE)
    return folder


def test_retrieval_finds_the_parts_of_the_song(songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = script("retrieval").main
    command = [str(songs / "harbour" / "drums.flac"), str(songs), "--top", "4", "--cache", str(tmp_path)]
    main(command)
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines()]
    assert len(rows) == 4 and {Path(file).parent.name for _, file in rows[:2]} == {"harbour"}
    assert [float(score) for score, _ in rows] == sorted((float(score) for score, _ in rows), reverse=True)
    assert str(songs / "harbour" / "drums.flac") not in printed
    main(command)
    assert capsys.readouterr().out == printed


def test_mashups_are_of_two_songs(songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "best.wav"
    script("mashups").main([str(songs), "--out", str(out)])
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 4
    for row in rows:
        score, part, _, ground = row.split()
        assert part.partition("/")[0] != ground and float(score) < 13
    assert soundfile.info(out).frames == SECONDS * RATE


def test_guidance_raises_the_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script("guidance").main(["--steps", "2", "--out", str(tmp_path / "guided.wav")])
    before, *_, after = map(float, capsys.readouterr().out.split())
    assert after > before + 4
    assert soundfile.info(tmp_path / "guided.wav").frames == 5 * RATE


@pytest.mark.filterwarnings("ignore")  # of Lightning, about its own settings
def test_lightning_logs_the_score(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("lightning", reason="lightning is not installed; run pip install lightning")
    example = script("lightning_validation")
    score = example.main(epochs=1)
    assert f"COCOLA {score:.2f}  COCOLA|model:embedded|" in capsys.readouterr().out
    model = example.Generator()
    assert all(name.startswith("filter.") for name in model.state_dict()) and len(model.cocola.state_dict()) == 0
