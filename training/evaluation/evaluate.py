"""The accuracy with which an encoder tells coherent from mismatched sub-mixes (section 5.1, Eq. 8)."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from cocola_metric import checkpoints
from cocola_metric.dispatch import require
from cocola_metric.encoder import CocolaModel, Mode, fold_batch_norm
from cocola_metric.errors import AudioError, UsageError
from cocola_metric.plot import check_picture
from cocola_metric.whole_files import write_text_whole

from ..corpora import Track
from ..signal import Partition
from .classification import Accuracy, accuracy_with_interval, percent_by_track, wins_of_two
from .encoders import Encoders, embed_with, labelled, modes_of, sides_of
from .held_out import HOP, in_batches, open_test_set, read_submixes
from .paper_protocol import measure_paper, paper_as_json, paper_markdown
from .protocols import DESCRIPTIONS
from .retrieval import accuracies_among, published_accuracies
from .table2 import measure_table, table_2_markdown, table_as_json
from .validity import measure_validity
from .validity_report import validity_as_json, validity_markdown

DEFAULT_PARTITIONS: tuple[Partition, ...] = ("track", "window")
"""Partitions of an evaluation: one encoder is evaluated with the first, Table 2 has both, in this order."""
__all__ = ["Accuracy", "EmbeddedSubmixes", "embed_submixes", "run", "score_distributions"]


@dataclass(frozen=True)
class EmbeddedSubmixes:
    """Two disjoint sub-mixes of many windows, embedded.

    Attributes:
        track: number of each window's track, (n,).
        sides: embeddings of each window's two sub-mixes, (n, 2, D).
    """

    track: NDArray[np.int64]
    sides: torch.Tensor


def embed_submixes(
    model: CocolaModel,
    tracks: Sequence[Track],
    *,
    mode: Mode = "both",
    partition: str = "track",
    hop: float = HOP,
    seed: int = 0,
    most_windows: int | None = None,
    device: str = "cpu",
) -> EmbeddedSubmixes:
    """Embed two disjoint sub-mixes of every window in which two sides sound, as `held_out.read_submixes` draws them.

    Raises:
        AudioError: there is no such window.
        UsageError: the model has no such mode.
    """
    if mode not in modes_of(model):
        raise UsageError(f"mode must be one of {', '.join(modes_of(model))} for this model; got {mode!r}")
    owners: list[int] = []
    sides: list[torch.Tensor] = []
    for number, track in enumerate(tqdm(tracks, desc="embedding", unit="track", disable=None)):
        windows = read_submixes(track, number, partitions=(partition,), hop=hop, seed=seed, most=most_windows)
        for _, pairs in in_batches(windows):
            embedded = embed_with(model, pairs.flatten(0, 1), mode, device)
            sides.append(embedded.view(len(pairs), 2, -1))
            owners += [number] * len(pairs)
    if not owners:
        raise AudioError(f"none of {len(tracks)} tracks has a window of 5 s in which two sides sound")
    return EmbeddedSubmixes(np.asarray(owners), torch.cat(sides))


def score_distributions(
    model: CocolaModel, submixes: EmbeddedSubmixes, *, symmetric: bool = False, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the scores of coherent pairs, and of pairs mismatched across tracks: (n,), (n,).

    Raises:
        AudioError: all windows are of one track.
    """
    if len(np.unique(submixes.track)) < 2:
        raise AudioError(
            "windows of two tracks or more are needed to mismatch pairs; got those of one: give more music"
        )
    rng = np.random.default_rng(seed)
    others = [int(rng.choice(np.flatnonzero(submixes.track != track))) for track in submixes.track]
    left, right = sides_of(model, *submixes.sides.unbind(1), symmetric=symmetric)
    return (left * right).sum(1).numpy(), (left * right[others]).sum(1).numpy()


def evaluate_corpora(options: argparse.Namespace) -> None:
    """Print one JSON object: per corpus, accuracies against other tracks, within tracks and among K windows.

    These follow the strict protocol. By the paper's protocol, if asked for, "paper" has the accuracy by K. What is
    published of other encoders among K windows, on other data, stands beside them.
    """
    if options.card and not (Path(options.model) / checkpoints.CARD_FILE).is_file():
        raise UsageError(f"--card needs a folder with a {checkpoints.CARD_FILE} as --model; got {options.model}")
    checkpoint = checkpoints.load(options.model)
    model = fold_batch_norm(checkpoint.model)
    report: dict[str, Any] = {"model": checkpoint.name, "weights": checkpoint.sha256, "mode": options.mode}
    report |= {"symmetric": options.symmetric, "hop": options.hop}
    report["protocols"] = DESCRIPTIONS if options.protocol == "paper" else {"strict": DESCRIPTIONS["strict"]}
    drawn = {}
    for name, tracks in _open_tests(options.corpus, options.max_tracks).items():
        submixes = embed_submixes(
            model,
            tracks,
            mode=options.mode,
            partition=(options.partition or DEFAULT_PARTITIONS)[0],
            hop=options.hop,
            most_windows=options.max_windows,
            device=options.device,
        )
        sides = sides_of(model, *submixes.sides.unbind(1), symmetric=options.symmetric)
        wins = {
            kind: wins_of_two(*sides, submixes.track, same_track=kind == "same_track")
            for kind in ("other_track", "same_track")
        }
        accuracies = {kind: accuracy_with_interval(shares, submixes.track) for kind, shares in wins.items()}
        titles = [track.name for track in tracks]
        among = accuracies_among(*sides, submixes.track)
        coherent, mismatched = drawn[_title(name)] = score_distributions(model, submixes, symmetric=options.symmetric)
        report[name] = {
            **{kind: accuracy and dataclasses.asdict(accuracy) for kind, accuracy in accuracies.items()},
            "among": {str(size): found and dataclasses.asdict(found) for size, found in among.items()},
            "coherent_scores": _summary(coherent),
            "mismatched_scores": _summary(mismatched),
            "by_track": {kind: percent_by_track(shares, submixes.track, titles) for kind, shares in wins.items()},
        }
        if options.protocol == "paper":
            [result] = measure_paper(
                Encoders({checkpoint.name: model}, device=options.device, symmetric=options.symmetric),
                {name: tracks},
                sizes=options.k,
                mode=options.mode,
                most_windows=options.max_windows,
            )
            measured = result.accuracies.items()
            report[name]["paper"] = {str(size): found and dataclasses.asdict(found) for size, found in measured}
    report["published_on_other_data"] = published_accuracies()
    json.dump(report, sys.stdout, indent=2)
    print(flush=True)
    if options.card:
        checkpoints.note_accuracies(Path(options.model), _stated(report), checkpoint.sha256)
    if options.plot:
        from .distributions import plot_distributions

        plot_distributions(options.plot, drawn)


def compare_encoders(options: argparse.Namespace) -> None:
    """Print Table 2 or the tests of validity as Markdown; write them as JSON if asked to."""
    encoders = Encoders.load(options.table2 or options.validity, device=options.device, symmetric=options.symmetric)
    tests = _open_tests(options.test, options.max_tracks)
    if options.table2:
        partitions = options.partition or DEFAULT_PARTITIONS
        results = measure_table(
            encoders, tests, partitions=partitions, seed=options.seed, most_windows=options.max_windows
        )
        text, data = table_2_markdown(results), table_as_json(results)
        if options.protocol == "paper":
            as_paper = measure_paper(
                encoders, tests, sizes=options.k, seed=options.seed, most_windows=options.max_windows
            )
            text, data = f"{text}\n\n{paper_markdown(as_paper)}", data | paper_as_json(as_paper)
    else:
        judged = measure_validity(encoders, tests, seed=options.seed, most_windows=options.max_windows)
        text, data = validity_markdown(judged), {"results": validity_as_json(judged)}
    print(text)
    if options.json:
        recipe = {
            "weights": encoders.identities,
            "tests": {name: len(found) for name, found in tests.items()},
            "seed": options.seed,
            "max_windows": options.max_windows,
            "symmetric": options.symmetric,
        }
        write_text_whole(options.json, json.dumps({**recipe, **data}, indent=2) + "\n")


def run(options: argparse.Namespace) -> None:
    """Compare encoders, or evaluate one, with the options of the command.

    Raises:
        MissingExtraError: scikit-learn is needed for the baselines of a comparison, or matplotlib for a picture.
    """
    if options.plot:
        check_picture(options.plot)
    if options.table2 or options.validity:
        require("sklearn")
        compare_encoders(options)
    else:
        evaluate_corpora(options)


def _open_tests(specs: Sequence[str], most: int | None) -> dict[str, list[Track]]:
    named = dict(labelled(spec) for spec in specs)
    if len(named) != len(specs):
        raise UsageError("test sets must differ in name; got one name twice; label them, as in songs=folder")
    return {name: open_test_set(spec)[:most] for name, spec in named.items()}


def _title(name: str) -> str:
    """Return the last two parts of a folder's path: ``corpora/test``."""
    return "/".join(Path(name).parts[-2:])


def _stated(report: Mapping[str, Any]) -> list[checkpoints.CardAccuracy]:
    """Return what a card says of each test set of a report."""
    return [
        checkpoints.CardAccuracy(
            _title(name),
            "test",
            among,
            others,
            round(found["percent"], 2),
            (round(found["low"], 2), round(found["high"], 2)),
            found["tracks"],
            found["windows"],
            report["symmetric"],
        )
        for name, measured in report.items()
        if isinstance(measured, Mapping) and "among" in measured
        for among, others, found in (
            *((2, kind, measured[kind]) for kind in ("other_track", "same_track")),
            *((int(size), "all", found) for size, found in measured["among"].items()),
        )
        if found
    ]


def _summary(scores: NDArray[np.float32]) -> dict[str, float]:
    quantiles = np.percentile(scores, [5, 50, 95])
    return dict(zip(("p5", "median", "p95"), map(float, quantiles.round(2)), strict=True))
