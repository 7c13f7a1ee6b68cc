"""The page of results: nothing from outside, something for every reader, and a browser that can sort and play it."""

import json
import math
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cocola_metric.benchmarks.queries.manifest import Part, Query, Submix, make_query
from cocola_metric.benchmarks.table3.data import Cell, Column, Row, Section, Table
from cocola_metric.benchmarks.table3.report import draw_distributions, html_page, round_ticks
from cocola_metric.benchmarks.table3.report_comparisons import Answer, Comparison
from cocola_metric.benchmarks.table3.report_examples import RATE, Example, encode

COCOLA, FAD = Column("COCOLA", "all", "COCOLA|…"), Column("sub-FAD", "clap", missing="weights not on this machine")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 60
RESULT = re.compile(r'<pre id="result">(.*?)</pre>', re.DOTALL)
CLICKS = """
<script>
const heads = [...document.querySelectorAll("thead th")];
const names = () => [...document.querySelector("tbody").rows].map(row => row.cells[0].dataset.value);
const seen = {};
heads[2].querySelector("button").click(); seen.first = names(); seen.sort = heads[2].getAttribute("aria-sort");
heads[2].querySelector("button").click(); seen.second = names();
seen.said = document.getElementById("said").textContent;
heads[0].querySelector("button").focus(); seen.focus = document.activeElement.tagName;
heads[0].querySelector("button").click(); seen.byName = names(); seen.left = heads[2].getAttribute("aria-sort");
seen.wide = document.documentElement.scrollWidth <= window.innerWidth;
const note = text => { const pre = document.createElement("pre"); pre.id = "result"; pre.textContent = text;
  document.body.append(pre); };
const player = document.querySelector("audio");
const done = () => { seen.duration = player.duration; seen.error = player.error && player.error.message;
  note(JSON.stringify(seen)); };
player.addEventListener("loadedmetadata", done); player.addEventListener("error", done);
player.preload = "auto"; player.load();
</script>
</body>"""


def new_query() -> Query:
    sides = [Submix("song <1>", 0.0, 1.0, (Part(f"{name}_1", (name,)),)) for name in ("bass", "drums")]
    fields = {"dataset": "musdb18hq", "split": "test", "seed": 0, "gain": "mean"}
    return make_query(0, fields | {"conditioning": sides[0], "accompaniment": sides[1], "donor": sides[1]})


@pytest.fixture(scope="module")
def page() -> str:
    rows = [
        Row("Random", "random", 1, 9, {}, {COCOLA.label: Cell(3.5, 1, (3, 4), 9, 3, published=4.4)}),
        Row("<Mine> & yours", "folder:x", 12, 8, {"too hard": 1}, {COCOLA.label: Cell(9.25, 1, (9, 9.5), 8, 3, 1)}),
        Row("MSDM", "msdm", 1, 0, {}, {COCOLA.label: Cell(missing="not released", published=11.61)}),
        Row("Ground Truth", "ground_truth", 1, 9, {}, {COCOLA.label: Cell(12.0, 1, (11, 13), 9, 3, published=16.25)}),
    ]
    for row in rows:
        row.cells[FAD.label] = Cell(missing=row.cells[COCOLA.label].missing or FAD.missing)
    table = Table([COCOLA, FAD], [Section("musdb18hq", "test", 1.0, 9, 3, "0" * 64, rows)])
    scores = {(0, "random", COCOLA.label): {"a": 1.0, "b": 6.0}, (0, "folder:x", COCOLA.label): {"a": 9.25}}
    audio = encode(np.sin(np.arange(RATE) / 20).astype(np.float32) / 2)
    example = Example(0, "folder:x", "<Mine> & yours", "best", COCOLA.label, 9.25, new_query(), audio, audio)
    answers = [Answer("Ground Truth", 12.0, audio), Answer("<Mine> & yours", 9.25, audio)]
    comparison = Comparison(0, COCOLA.label, new_query(), audio, audio, answers)
    return html_page(table, scores, [example], [comparison], title="Ours & <theirs>")


class Tags(HTMLParser):
    """Collects tags with their attributes, and sees that what is opened is closed."""

    VOID = ("meta", "br", "line", "rect")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def tags(page: str) -> list[tuple[str, dict[str, str | None]]]:
    reader = Tags()
    reader.feed(page)
    assert reader.open == []
    return reader.found


def test_the_page_loads_nothing(page: str, tags: list[tuple[str, dict[str, str | None]]]) -> None:
    sources = [value for _, attributes in tags for name, value in attributes.items() if name in ("src", "href")]
    assert len(sources) == 6 and all(source.startswith("data:audio/ogg;base64,") for source in sources)
    assert not re.search(r"https?://|url\(|@import", page)
    policy = next(given["content"] for tag, given in tags if tag == "meta" and "http-equiv" in given)
    assert policy.startswith("default-src 'none'")


def test_names_are_text_not_markup(page: str) -> None:
    assert "<Mine>" not in page and "&lt;Mine&gt; &amp; yours (best of 12)" in page
    assert "song &lt;1&gt;" in page


def test_a_script_in_a_name_does_not_run() -> None:
    script = '"><script>alert(1)</script>'
    column = Column(script, "all", missing=script, detail=script)
    row = Row(script, "x", 1, 9, {script: 1}, {column.label: Cell(missing=script)})
    table = Table([column], [Section(script, script, 1.0, 9, 3, "0" * 64, [row])])
    example = Example(0, "x", script, "best", script, 1.0, new_query(), b"", b"")
    page = html_page(table, {(0, "x", column.label): {"a": 1.0}}, [example])
    assert page.count("<script>") == page.count("</script>") == 1  # our own
    assert "<script>alert" not in page and page.count("&lt;script&gt;alert(1)") >= 12


def test_headings_are_buttons_and_pictures_have_words(tags: list[tuple[str, dict[str, str | None]]]) -> None:
    headings = [given for tag, given in tags if tag == "th" and given.get("scope") == "col"]
    assert len(headings) == 5  # generator, n, COCOLA and published, sub-FAD
    assert sum(tag == "button" for tag, _ in tags) == len(headings)
    words = [given["aria-label"] for tag, given in tags if tag in ("svg", "audio")]
    assert len(words) == 7 and all(words)
    assert next(given for tag, given in tags if tag == "html")["lang"] == "en"


def test_an_empty_cell_says_why_and_has_no_number(page: str) -> None:
    assert '<td class="missing">not released</td>' in page
    assert page.count('<td class="missing">weights not on this machine</td>') == 3
    assert '<td data-value="11.61">11.61</td>' in page  # in the paper's column, not in ours


def test_both_lights_are_thought_of(page: str) -> None:
    assert "color-scheme: light dark" in page and "prefers-color-scheme: dark" in page


def test_the_title_is_the_users_own(page: str) -> None:
    assert "<title>Ours &amp; &lt;theirs&gt;</title>" in page and "<h1>Ours &amp; &lt;theirs&gt;</h1>" in page


def test_a_query_is_heard_across_systems(page: str) -> None:
    part = page[page.index("One query across systems") : page.index("Best and worst answers")]
    named = re.findall(r"<li><strong>(.*?)</strong>( [0-9.]+)?<audio", part)
    assert named == [
        ("conditioning", ""),
        ("real", ""),
        ("Ground Truth", " 12.00"),
        ("&lt;Mine&gt; &amp; yours", " 9.25"),
    ]


@pytest.mark.parametrize(("low", "high"), [(-3.2, 28.4), (0.0, 1.0), (2.0, 3.0), (-0.004, 0.009), (11.3, 1234.5)])
def test_ticks_are_round_and_few(low: float, high: float) -> None:
    ticks = round_ticks(low, high)
    assert 3 <= len(ticks) <= 8 and low <= ticks[0] and ticks[-1] <= high
    assert {f"{tick:e}".lstrip("-")[1:] for tick in ticks} and all(len(f"{abs(tick):g}") <= 6 for tick in ticks)
    assert np.allclose(np.diff(ticks), ticks[1] - ticks[0])


def test_distributions_of_one_value_can_be_drawn() -> None:
    assert draw_distributions("COCOLA", [("a", [2.0, 2.0]), ("b", [2.0])]).count('class="mean"') == 2


def test_audio_in_the_page_is_the_audio(tmp_path: Path) -> None:
    tone = np.sin(np.arange(RATE) * 2 * np.pi * 440 / RATE).astype(np.float32) / 2
    (tmp_path / "tone.ogg").write_bytes(encode(tone))
    heard, rate = soundfile.read(tmp_path / "tone.ogg")
    assert (rate, len(heard)) == (RATE, RATE)
    assert np.std(heard) == pytest.approx(np.std(tone), rel=0.05)


def test_a_browser_sorts_and_plays_it(page: str, tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"needs one of {', '.join(BROWSERS)}")
    copy = tmp_path / "page.html"
    copy.write_text(page.replace("</body>", CLICKS), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--virtual-time-budget=8000"]
    options += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1000,800", "--dump-dom", copy.as_uri()]
    done = subprocess.run([browser, *options], capture_output=True, text=True, timeout=PATIENCE, check=False)
    result = RESULT.search(done.stdout)
    if result is None and not done.stdout.strip():
        pytest.skip(f"{browser} does not run here: {done.stderr[-300:]}")
    seen = json.loads(result[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
    mine = "<Mine> & yours (best of 12)"
    assert seen["first"] == ["Ground Truth", mine, "Random", "MSDM"]
    assert seen["sort"] == "descending"
    assert seen["second"] == ["Random", mine, "Ground Truth", "MSDM"]  # what has no number stays last
    assert seen["said"].endswith("ascending")
    assert seen["focus"] == "BUTTON"
    assert seen["byName"] == [mine, "Ground Truth", "MSDM", "Random"]
    assert seen["left"] is None
    assert seen["wide"]
    assert seen["error"] is None
    assert math.isclose(seen["duration"], 1.0, abs_tol=0.05)
