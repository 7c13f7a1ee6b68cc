"""Sub-FAD and the COCOLA score of the same accompaniments, real and damaged: the command fad-behaviour.

FOLDER holds one folder of stems a song. From each song excerpts are cut, and their stems dealt into conditioning and
accompaniment. The real accompaniment is then damaged in known ways, or replaced by one of another song: whole and real,
but not made for this music (the paper's "Random", section 4.3). Prints a Markdown table; ``--plot`` draws it.
"""

import argparse
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cocola_metric.audio import SAMPLE_RATE, AudioWarning, is_mixture, is_silent, list_audio, open_file
from cocola_metric.errors import UsageError
from cocola_metric.fad import FadResult, SubFAD
from cocola_metric.plot import check_picture, new_figure, save_picture
from cocola_metric.scorer import CocolaScorer
from cocola_metric.training.corpora import read_excerpt

from .damage import DAMAGES

RANDOM = "another song's"
COLOURS = {"noise": "#1f5f8b", "low-pass": "#c06c3e", "MP3": "#4f8a4f"}


@dataclass(frozen=True)
class Excerpt:
    """An excerpt: conditioning and accompaniment, mono at 16 kHz, (L,) each."""

    song: str
    conditioning: Tensor
    accompaniment: Tensor


@dataclass(frozen=True)
class Row:
    """Sub-FAD and mean score of one kind of accompaniment."""

    kind: str
    strength: str
    fad: FadResult
    score: float


def draw_excerpts(folder: Path, *, seconds: float, per_song: int, seed: int) -> list[Excerpt]:
    """Cut excerpts at even distances from every song, and deal the stems that sound into two non-empty parts.

    Raises:
        UsageError: there are fewer than two songs of at least two stems.
    """
    generator = np.random.default_rng(seed)
    queries = []
    for song in sorted(path for path in folder.iterdir() if path.is_dir()):
        stems = [path for path in list_audio(song) if not is_mixture(path)]
        length = min((open_file(stem).duration for stem in stems), default=0.0)
        count = min(per_song, int(length // seconds))
        for start in np.linspace(0, length - seconds, count) if count > 1 else [0.0] * count:
            queries += _dealt(song.name, stems, float(start), seconds, generator)
    if len({query.song for query in queries}) < 2:
        found = len({query.song for query in queries})
        raise UsageError(
            f"{folder}: needs two folders or more, each with two stems or more that sound in {seconds:g} s; found "
            f"{found}; name a folder of more songs, or pass shorter --seconds"
        )
    return queries


def measure(queries: Sequence[Excerpt], metric: SubFAD, scorer: CocolaScorer, *, seed: int) -> list[Row]:
    """Return sub-FAD to the real mixtures and mean COCOLA score of every kind of accompaniment, the real one first."""
    generator = np.random.default_rng(seed)
    conditionings = [query.conditioning for query in queries]
    real = [query.accompaniment for query in queries]
    reference = metric.embed(list(zip(conditionings, real, strict=True)), SAMPLE_RATE)

    def rows(kind: str, accompaniments: dict[str, list[Tensor]]) -> list[Row]:
        clips = [clip for clips in accompaniments.values() for clip in clips]
        pairs = scorer.score_pairs(conditionings * len(accompaniments), clips, sample_rate=SAMPLE_RATE)
        scores = np.nanmean(pairs.reshape(len(accompaniments), -1), axis=1).tolist()
        mixes = list(zip(conditionings * len(accompaniments), clips, strict=True))
        embedded, each = metric.embed(mixes, SAMPLE_RATE), len(conditionings)
        fads = [metric.compare(embedded[at : at + each], reference) for at in range(0, len(clips), each)]
        return [Row(kind, *entry) for entry in zip(accompaniments, fads, scores, strict=True)]

    found = rows("real", {"": real}) + rows(RANDOM, {"": [real[index] for index in strangers(queries, generator)]})
    for kind, strengths in DAMAGES.items():
        found += rows(kind, {name: [damage(clip, generator) for clip in real] for name, damage in strengths.items()})
    return found


def strangers(queries: Sequence[Excerpt], generator: np.random.Generator) -> list[int]:
    """Draw for every query the index of a query of another song."""
    songs = [query.song for query in queries]
    return [int(generator.choice([j for j, other in enumerate(songs) if other != song])) for song in songs]


def table(rows: Sequence[Row]) -> str:
    """Return the rows in Markdown, with the signatures of both measures below."""
    lines = ["| accompaniment | | sub-FAD | 95 % interval | COCOLA score |", "|---|---|---|---|---|"]
    for row in rows:
        low, high = row.fad.interval
        lines.append(f"| {row.kind} | {row.strength} | {row.fad.fad:.2f} | {low:.2f} to {high:.2f} | {row.score:.2f} |")
    fad = rows[0].fad
    lines += ["", f"Floor (halves of the real mixtures): {fad.floor:.2f}; {fad.tracks} excerpts. `{fad.signature}`"]
    return "\n".join(lines)


def draw(file: Path, rows: Sequence[Row]) -> None:
    """Draw sub-FAD against damage, and the COCOLA score against sub-FAD.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure, (top, bottom) = new_figure(rows=2, height=7.5, heights=(1, 1.2))
    real, random = rows[0], rows[1]
    above = {"frameon": False, "fontsize": 8, "ncols": 2, "loc": "lower left", "bbox_to_anchor": (0, 1)}
    for kind, colour in COLOURS.items():
        damaged = [row for row in rows if row.kind == kind]
        values, scores = [row.fad.fad for row in damaged], [row.score for row in damaged]
        strengths = f"{kind}: {damaged[0].strength} to {damaged[-1].strength}"
        top.plot(range(len(damaged)), values, "o-", color=colour, label=strengths)
        bottom.plot([real.fad.fad, *values], [real.score, *scores], "o-", color=colour, label=kind)
    top.axhline(random.fad.fad, color="black", linestyle="--", label="another song's accompaniment")
    top.axhline(real.fad.floor, color="grey", linestyle=":", label="halves of the real mixtures")
    top.set_xticks([])
    top.set_xlabel("weak to strong damage")
    top.set_ylabel("sub-FAD (lower is nearer)")
    top.legend(**above)
    bottom.plot(real.fad.fad, real.score, "*", color="black", markersize=12, label="real accompaniment")
    bottom.plot(random.fad.fad, random.score, "X", color="black", markersize=9, label="another song's accompaniment")
    bottom.set_xlabel("sub-FAD (lower is nearer)")
    bottom.set_ylabel("COCOLA score (higher fits better)")
    bottom.legend(**above)
    save_picture(figure, file)


def run(options: argparse.Namespace) -> None:
    """Measure, print, draw."""
    if options.plot is not None:
        check_picture(options.plot)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)  # silence is dealt with here
        queries = draw_excerpts(options.folder, seconds=options.seconds, per_song=options.per_song, seed=options.seed)
        metric, scorer = SubFAD(options.embedder, cache=None), CocolaScorer.from_pretrained()
        rows = measure(queries, metric, scorer, seed=options.seed)
    print(table(rows))
    if options.plot is not None:
        draw(options.plot, rows)


def _dealt(song: str, stems: list[Path], start: float, seconds: float, generator: np.random.Generator) -> list[Excerpt]:
    first, samples = round(start * SAMPLE_RATE), round(seconds * SAMPLE_RATE)
    excerpts = [torch.from_numpy(read_excerpt(stem, first, samples)) for stem in stems]
    sounding = [excerpt for excerpt in excerpts if not is_silent(excerpt[None]).item()]
    if len(sounding) < 2:
        return []
    order = generator.permutation(len(sounding))
    first = int(generator.integers(1, len(sounding)))
    parts = [torch.stack([sounding[index] for index in chosen]).sum(dim=0) for chosen in (order[:first], order[first:])]
    peak = max(1.0, (parts[0] + parts[1]).abs().max().item(), parts[1].abs().max().item())
    return [Excerpt(song, parts[0] / peak, parts[1] / peak)]
