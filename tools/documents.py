"""Bring the figures about the embedded encoder up to date: python -m tools.documents RESULTS.

Replaces what stands between `<!-- NAME -->` and `<!-- end -->`, and the weights in the signatures, by what the commands
of `make documents` wrote into the folder RESULTS.
"""

import argparse
import json
import re
from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

from cocola_metric.checkpoints import PUBLISHED_ACCURACIES
from cocola_metric.errors import CocolaError, UsageError
from cocola_metric.signature import HASH_DIGITS
from cocola_metric.training.evaluation import CUES, NOTHING, Accuracy, markdown_table

from .kept_rows import keep_rows

DOCUMENTS = ("README.md", "cocola_metric/weights/README.md", "docs/*.md", "docs/howto/*.md")
TESTS = {
    "chorus": "chorus: chorales and quartets",
    "bands": "bands: MIDI arrangements and tunes with a band",
    "desk": "desk: LMMS projects and tracker modules",
    "recorded": "recorded songs, never trained or tuned on",
}
STANDS_FOR = {"chorus": "CocoChorales", "bands": "Slakh2100", "desk": "MoisesDB"}
KINDS = {"shift": "half a beat late or early", "transpose": "a semitone off", "stretch": "5 % too fast or slow"}
BLOCK = re.compile(r"^(?P<indent> *)<!-- (?P<name>\w+) -->\n.*?^ *<!-- end -->$", re.DOTALL | re.MULTILINE)
SIGNED = re.compile(r"(?<=model:embedded\|weights:)[0-9a-f]+")
REFERRED = re.compile(r"(?<=\|sr:16000\|ref:)[0-9a-f]+")

Results = Mapping[str, Any]


def accuracy_table(results: Results) -> str:
    """Return accuracies among two and among K, from the JSON of `evaluate CORPUS ...`, and published figures.

    Published figures are of other encoders on other data: they have columns of their own.
    """
    sizes = [size for size in AMONG if all(size in results[test].get("among", {}) for test in TESTS)]
    rows = []
    for test, title in TESTS.items():
        other, same = (results[test][kind] for kind in ("other_track", "same_track"))
        among = [_percent(results[test]["among"][size]) if results[test]["among"][size] else NOTHING for size in sizes]
        published = [_published(row, STANDS_FOR.get(test)) for row in PUBLISHED_ACCURACIES.values()]
        rows.append([f"{title}, {other['tracks']} tracks", _percent(other), _percent(same), *among, *published])
    ours = ["K = 2, other tracks", "K = 2, same track", *(f"K = {size}" for size in sizes)]
    theirs = [f"{name}: published, other data, K = {' / '.join(AMONG)}" for name in PUBLISHED_ACCURACIES]
    return markdown_table(["test", *ours, *theirs], rows)


def scores_table(results: Results) -> str:
    """Return the distributions of scores, from the JSON of `evaluate CORPUS ...`."""
    rows = [
        [title.partition(",")[0].partition(":")[0]]
        + [", ".join(f"{value:g}" for value in results[test][f"{kind}_scores"].values()) for kind in SCORED]
        for test, title in TESTS.items()
    ]
    return markdown_table(["5 %, median, 95 %", *SCORED.values()], rows)


def validity_table(results: Results) -> str:
    """Return shares in which the right one beats itself made wrong, from the JSON of `evaluate --validity`."""
    rows = [
        [test["test"], *(f"{Accuracy(**test['wins'][kind])}; {test['track_wins'][kind]:.0f}" for kind in KINDS)]
        for test in _in_both_parts(results)
    ]
    return markdown_table(["test", *KINDS.values()], rows)


def validity_sentence(results: Results) -> str:
    """Return the same in one sentence, without intervals."""
    parts = [f"{words} in {_range(results, 'wins', kind)}" for kind, words in KINDS.items()]
    return (
        "Of windows of held-out rendered music (in brackets: of recorded songs) it prefers the right accompaniment to\n"
        f"the same one {', '.join(parts)}."
    )


def cue_sentence(results: Results) -> str:
    """Return the cues that the encoder depends on, from the JSON of `evaluate --validity`."""
    (together, in_turn), (pitched, unpitched) = (
        [_range(results, "by_cue", kind, name) for name in names] for kind, (_, *names) in CUES.items()
    )
    return (
        "Where the onsets of the right pair fall together more than those of the wrong one, it hears half a beat in\n"
        f"{together} of windows of rendered music (of recorded songs); where they rather play in turn, in {in_turn}.\n"
        f"Where both sides are pitched, it hears a semitone in {pitched}; where one is not, in {unpitched}."
    )


def short_table_2(results: Results) -> str:
    """Return the encoder beside the cues, without intervals, from the JSON of `evaluate --table2`."""
    percent = {
        (result["listener"], result["test"], result["negatives"]): f"{result['accuracy']['percent']:.1f}"
        for result in results["results"]
        if result["partition"] == "track"
    }
    rows = [
        [title, *(f"{percent[name, test, 'other_track']} / {percent[name, test, 'same_track']}" for test in TESTS)]
        for name, title in LISTENERS.items()
    ]
    return markdown_table(["accuracy (%), K = 2", *TESTS], rows)


def first_table(printed: str) -> str:
    """Return the first table of what `table3` printed, without the number of queries."""
    lines = printed[printed.index("| generator | n |") :].split("\n\n")[0].splitlines()
    cells = [line.split("|") for line in lines]
    return "\n".join("|".join(line[:2] + line[3:]) for line in cells)


LISTENERS = {
    "embedded": "embedded",
    "loudness": "loudness (shortcut)",
    "spectral shape": "spectral shape (shortcut)",
    "coherence by hand": "onsets, chroma and tempo by hand",
}
AMONG = ("8", "16", "64")
SCORED = {"coherent": "coherent pairs", "mismatched": "mismatched pairs (another track)"}
BLOCKS: dict[str, tuple[str, Callable[[Results], str]]] = {
    "accuracy": ("accuracy.json", accuracy_table),
    "scores": ("accuracy.json", scores_table),
    "validity": ("validity.json", validity_table),
    "hears": ("validity.json", validity_sentence),
    "by_cue": ("validity.json", cue_sentence),
    "short_table_2": ("table2.json", short_table_2),
}
PRINTED = {
    "first_minute": "first_minute.md",
    "calibration": "calibration.md",
    "table_2": "table2.md",
    "whole_validity": "validity.md",
    "behaviour": "behaviour.md",
    "behaviour_timbre": "behaviour_timbre.md",
}
KEEPING = ("table_2",)  # blocks of several encoders, of which few are at hand
TABLE_3 = {"bands": "docs/table3/table3.md", "recorded": "docs/table3/recorded.md"}


def fill(text: str, written: Mapping[str, str], weights: str, reference: str = "") -> str:
    """Return a document with its blocks replaced, indented as their first lines are.

    Rows of encoders that were not computed this time stay (blocks in ``KEEPING``).

    Args:
        text: text of the document.
        written: content of each block, by name.
        weights: SHA-256 of the embedded weights.
        reference: SHA-256 of their reference; empty to leave what is there.

    Raises:
        UsageError: a block that nothing was written for, or rows that have no table to stay in.
    """

    def replaced(block: re.Match[str]) -> str:
        name, indent = block["name"], block["indent"]
        if name not in written:
            raise UsageError(f"nothing was written for the block {name!r}; known: {', '.join(sorted(written))}")
        content = keep_rows(block[0], written[name]) if name in KEEPING else written[name]
        lines = (f"{indent}{line}".rstrip() for line in content.strip().splitlines())
        return "\n".join([f"{indent}<!-- {name} -->", *lines, f"{indent}<!-- end -->"])

    signed = SIGNED.sub(weights[:HASH_DIGITS], BLOCK.sub(replaced, text))
    return REFERRED.sub(reference[:HASH_DIGITS], signed) if reference else signed


def write_blocks(results: Path, root: Path) -> dict[str, str]:
    """Return the content of each block, from the files in ``results`` and the tables 3 in the checkout ``root``.

    Raises:
        UsageError: a file is missing.
    """
    try:
        written = {name: (results / file).read_text("utf-8") for name, file in PRINTED.items()}
        written |= {name: first_table((root / file).read_text("utf-8")) for name, file in TABLE_3.items()}
        for name, (file, write) in BLOCKS.items():
            written[name] = write(json.loads((results / file).read_text("utf-8")))
    except FileNotFoundError as error:
        raise UsageError(f"{error.filename}: no such file; write it with `make documents`") from error
    return written


def _in_both_parts(results: Results) -> list[Results]:
    return [test for test in results["results"] if test["mode"] == "both"]


def _range(results: Results, *keys: str) -> str:
    """Return the smallest and the largest share of the rendered test sets, and that of the recorded songs."""
    *rendered, recorded = (reduce(lambda level, key: level[key], keys, test) for test in _in_both_parts(results))
    shares = [round(accuracy["percent"]) for accuracy in rendered if accuracy]
    return f"{min(shares)} to {max(shares)} % ({round(recorded['percent'])} %)"


def _percent(accuracy: Mapping[str, Any] | None) -> str:
    if accuracy is None:
        return NOTHING
    return f"{accuracy['percent']:.1f} % [{accuracy['low']:.1f}, {accuracy['high']:.1f}]"


def _published(row: Mapping[tuple[str, int], float], data: str | None) -> str:
    """Return what is published of an encoder on the data that a test of ours stands for."""
    if data is None:
        return NOTHING
    return f"{data} " + " / ".join(f"{row[data, int(size)]:.1f}" if (data, int(size)) in row else "-" for size in AMONG)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.documents",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", type=Path, metavar="RESULTS")
    parser.add_argument("--root", type=Path, default=Path(), help="of the checkout (default: here)")
    options = parser.parse_args(arguments)
    try:
        written = write_blocks(options.results, options.root)
        weights = json.loads((options.results / "accuracy.json").read_text("utf-8"))["weights"]
        reference = json.loads((options.results / "calibration.json").read_text("utf-8"))["reference"]
        documents = [file for pattern in DOCUMENTS for file in sorted(options.root.glob(pattern))]
        filled = {file: fill(file.read_text("utf-8"), written, weights, reference) for file in documents}
    except CocolaError as error:
        parser.exit(1, f"documents: {error}\n")
    for file, text in filled.items():
        file.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
