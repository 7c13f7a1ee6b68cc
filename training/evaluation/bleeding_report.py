"""The tables of music whose stems bleed: what each encoder loses, and what it has more than the first one."""

import argparse
from collections import defaultdict
from collections.abc import Sequence

from cocola_metric import checkpoints
from cocola_metric.encoder import fold_batch_norm
from cocola_metric.errors import UsageError
from cocola_metric.whole_files import write_text_whole

from ..encoder import load_any
from .bleeding import CONDITIONS, DUEL, ECHO, Measured, measure_bleed, pool
from .classification import accuracy_with_interval
from .encoders import labelled
from .held_out import open_test_set
from .markdown import NOTHING, markdown_table

MEASURES = {
    "other_track": "another track, K = 2",
    "same_track": "same track, K = 2",
    "among_16": "other tracks, K = 16",
}
NOTE = """\
Share of windows (%), in brackets the 95 % BCa interval, resampling tracks; behind the first column the difference from
it, on the same windows. "own": each stem has the other stems of its track in it, at this level of what they are;
"mask": the same through a soft mask, as of a separator; "foreign": each stem has another track in it, another one on
either side; "both": against one wrong window a window, and every side has both windows in it, so that echo tells
nothing. In the second table the difference from the first encoder, on the same windows."""


def bleed_markdown(test: str, measured: Measured) -> str:
    """Return the two tables of a test set as Markdown.

    Args:
        test: name of the test set.
        measured: wins of its windows.
    """
    encoders = list(dict.fromkeys(key[0] for key in measured.wins))
    conditions = [name for name in (*CONDITIONS, DUEL) if any(name == key[1] for key in measured.wins)]
    tracks = len(set(measured.owners.tolist()))
    title = f"{test} ({tracks} tracks, {len(measured.owners)} windows)"
    lost = [
        [MEASURES[measure], encoder, *(_loss(measured, encoder, name, measure) for name in conditions)]
        for measure in MEASURES
        for encoder in encoders
        if (encoder, "clean", measure) in measured.wins
    ]
    level = ["side above its leak, median", "", *(_margin(measured, name) for name in conditions)]
    gained = [
        [MEASURES[measure], encoder, *(_gain(measured, (encoder, encoders[0]), name, measure) for name in conditions)]
        for measure in MEASURES
        for encoder in encoders[1:]
        if encoder != ECHO
    ]
    first = markdown_table([title, "encoder", *conditions], [level, *lost])
    if not gained:
        return first
    return f"{first}\n\n{markdown_table([title, f'more than {encoders[0]}', *conditions], gained)}"


def _margin(measured: Measured, condition: str) -> str:
    leaks = condition in CONDITIONS and CONDITIONS[condition].level is not None
    return f"{measured.margins[condition]:.0f} dB" if leaks else NOTHING


def _loss(measured: Measured, encoder: str, condition: str, measure: str) -> str:
    """Return an accuracy, and behind that of clean stems the difference from it."""
    wins, clean = (measured.wins.get((encoder, name, measure)) for name in (condition, "clean"))
    if wins is None or clean is None:
        return NOTHING
    found = accuracy_with_interval(wins, measured.owners)
    if found is None or condition == "clean":
        return str(found or NOTHING)
    lost = accuracy_with_interval(wins - clean, measured.owners)
    return f"{found.percent:.1f}; {lost.percent:+.1f} [{lost.low:+.1f}, {lost.high:+.1f}]" if lost else NOTHING


def _gain(measured: Measured, encoders: tuple[str, str], condition: str, measure: str) -> str:
    second, first = (measured.wins.get((encoder, condition, measure)) for encoder in encoders)
    if second is None or first is None:
        return NOTHING
    gained = accuracy_with_interval(second - first, measured.owners)
    return f"{gained.percent:+.1f} [{gained.low:+.1f}, {gained.high:+.1f}]" if gained else NOTHING


def bleed_report(
    names: Sequence[str],
    trunk_name: str,
    tests: Sequence[str],
    *,
    most_tracks: int | None,
    most_windows: int | None,
    seed: int,
) -> str:
    """Measure encoders and heads on test sets, and return the tables; test sets of one name are pooled.

    Raises:
        UsageError: two encoders have the same label.
    """
    trunk = checkpoints.load(trunk_name).model
    labels = [labelled(name) for name in names]
    models = {label: load_any(name, trunk).eval() for label, name in labels}
    if len(models) < len(labels):
        raise UsageError("two encoders have one label; give each its own, as label=name")
    found = defaultdict(list)
    folded = fold_batch_norm(trunk)
    for label, spec in map(labelled, tests):
        tracks = open_test_set(spec)[:most_tracks]
        found[label].append(measure_bleed(models, folded, tracks, most_windows=most_windows, seed=seed))
    return "\n\n".join([*(bleed_markdown(label, pool(parts)) for label, parts in found.items()), NOTE])


def run(options: argparse.Namespace) -> None:
    """Print the tables as Markdown, and write them to a file if asked to."""
    text = bleed_report(
        options.encoders,
        options.trunk,
        options.test,
        most_tracks=options.max_tracks,
        most_windows=options.max_windows,
        seed=options.seed,
    )
    print(text)
    if options.out:
        write_text_whole(options.out, text + "\n")
