"""The benchmark itself is benchmarked: the embedded encoder sees the order that the paper reports.

Real music that does not fit (Random) and music that fits but sounds bad (Degraded) are the two ends between which
generators lie. A Fréchet distance of sound prefers the first, COCOLA the second: the paper's argument for COCOLA.
"""

import json
import warnings
from pathlib import Path

import pytest

from cocola_metric import AudioWarning
from cocola_metric.benchmarks.queries import commands as draw_commands
from cocola_metric.benchmarks.table3 import commands

ROOT = Path(__file__).parents[3]
MUSIC = {
    "examples": ROOT / "examples",
    "excerpts": ROOT / "tests" / "data" / "recorded",
    "recorded": ROOT.parent / "shared" / "stems" / "recorded",
}
SECONDS = "5.944"
COUNTS = {"examples": 24, "excerpts": 18, "recorded": 18}
COCOLA, FAD = "COCOLA embedded", "sub-FAD timbre"
Cells = dict[str, dict[str, dict]]


@pytest.fixture(scope="module", params=[name for name, folder in MUSIC.items() if folder.exists()])
def cells(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Cells:
    """Generator -> column -> cell: on rendered music, on excerpts of recorded songs, on whole songs where they are."""
    music = MUSIC[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    manifest = folder / "queries.jsonl"
    count = str(COUNTS[request.param])
    generators = ["--generators", "ground_truth", "random", "degraded", "noise", "--embedders", "timbre"]
    out = ["--out", str(folder / "table"), "--audio-megabytes", "0"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)  # recorded songs are MP3 files that do not state their delay
        draw_commands.queries([str(music), "--out", str(manifest), "--seconds", SECONDS, "--count", count])
        commands.table3(["--queries", str(manifest), *generators, *out])
    section = json.loads((folder / "table" / "table3.json").read_text())["sections"][0]
    return {row["generator"]: row["cells"] for row in section["rows"]}


def test_ground_truth_is_above_random_on_cocola(cells: Cells, request: pytest.FixtureRequest) -> None:
    true, random = cells["Ground Truth"][COCOLA], cells["Random"][COCOLA]
    assert true["n"] == random["n"] and true["silent"] == random["silent"] == 0
    assert true["value"] > random["value"]
    if request.node.callspec.params["cells"] != "excerpts":  # twelve seconds of four songs leave intervals wide
        assert true["interval"][0] > random["interval"][1]


def test_bad_sound_costs_little_on_cocola(cells: Cells) -> None:
    true, random, degraded = (cells[name][COCOLA]["value"] for name in ("Ground Truth", "Random", "Degraded"))
    assert true > degraded
    assert degraded - random > true - degraded


def test_the_fréchet_distance_has_it_the_other_way_round(cells: Cells) -> None:
    random, degraded = cells["Random"][FAD], cells["Degraded"][FAD]
    assert 0 < random["value"] < degraded["value"]
    assert cells["Ground Truth"][FAD]["missing"] == "is the reference"


def test_noise_fits_nothing(cells: Cells) -> None:
    """An encoder that never heard noise as a wrong answer takes it for one that fits everything."""
    true, random, noise = (cells[name][COCOLA]["value"] for name in ("Ground Truth", "Random", "Noise"))
    assert noise < (true + random) / 2
