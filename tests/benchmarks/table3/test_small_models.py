"""The small models in benchmarks/weights: what they answer fits better than real music of another song."""

import json
from pathlib import Path

import pytest

from cocola_metric.benchmarks import generators
from cocola_metric.benchmarks.queries import commands as draw_commands
from cocola_metric.benchmarks.table3 import commands

ROOT = Path(__file__).parents[3]
WEIGHTS = Path(generators.__file__).parents[1] / "weights"
STEMS = {"bass": "bass", "drums": "drums", "guitar": "guitar", "keys": "piano"}
"""The stems of the example songs that the models know, and their names there."""
QUERIES = 8
COCOLA = "COCOLA embedded"
MODELS = {
    "MSDM, small, ours": f"msdm:{WEIGHTS / 'msdm'},steps=16,resamples=2",
    "CompoNet, small, ours": f"componet:{WEIGHTS / 'componet'},steps=25",
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not WEIGHTS.is_dir(), reason="benchmarks/weights: in a checkout only"),
]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    folder = tmp_path_factory.mktemp("small")
    for song in (ROOT / "examples").glob("*/"):
        for file in song.glob("*.flac"):
            if file.stem in STEMS:
                (folder / "songs" / song.name).mkdir(parents=True, exist_ok=True)
                (folder / "songs" / song.name / f"{STEMS[file.stem]}.flac").symlink_to(file)
    manifest, known = folder / "queries.jsonl", sorted(STEMS.values())
    drawn = ["--seconds", "5", "--count", str(QUERIES), "--instruments", *known, "--out", str(manifest)]
    draw_commands.queries([str(folder / "songs"), *drawn])
    table = ["--embedders", "--batch-size", str(QUERIES), "--audio-megabytes", "0", "--out", str(folder / "table")]
    commands.table3(["--queries", str(manifest), "--generators", "random", *MODELS.values(), *table])
    section = json.loads((folder / "table" / "table3.json").read_text())["sections"][0]
    return {row["generator"]: row for row in section["rows"]}


@pytest.mark.parametrize("name", MODELS)
def test_answers_fit_better_than_other_music(rows: dict[str, dict], name: str) -> None:
    answer, random = (rows[row]["cells"][COCOLA] for row in (name, "Random"))
    assert rows[name]["answered"] == answer["n"] == QUERIES
    assert answer["interval"][0] > random["interval"][1]


def test_rows_say_that_the_models_are_ours(rows: dict[str, dict]) -> None:
    """On Slakh2100 they would else stand beside the paper's 3.31."""
    assert list(rows) == ["Random", *MODELS]
    assert all(cell["published"] is None for name in MODELS for cell in rows[name]["cells"].values())
