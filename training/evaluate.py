"""How well an encoder tells coherent from mismatched sub-mixes on a corpus (section 5.1, Eq. 8 with K = 2).

python -m cocola_metric.training.evaluate CORPUS [CORPUS ...] --model embedded
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from cocola_metric import hub
from cocola_metric.audio import mix_stems, read_audio
from cocola_metric.model import MODES, CocolaModel, Mode, fold_batch_norm
from cocola_metric.windows import WindowPlan

from .corpora import Stem, Track, index_stem_folder
from .sampling import audible, draw_subsets, mix_at_level

LEVEL_DBFS = -20.0  # of every sub-mix, so that loudness gives nothing away
BOOTSTRAP_SAMPLES = 2000
DRAWS_OF_NEGATIVES = 10


@dataclass(frozen=True)
class EmbeddedSubmixes:
    """Two disjoint sub-mixes of many windows, embedded.

    Attributes:
        track: of each window, (n,).
        sides: of each window, (n, 2, D).
    """

    track: NDArray[np.int64]
    sides: torch.Tensor


@dataclass(frozen=True)
class Accuracy:
    """An accuracy in percent, its 95 % interval by resampling tracks, and how much it rests on."""

    percent: float
    low: float
    high: float
    tracks: int
    windows: int


def embed_submixes(
    model: CocolaModel, tracks: Sequence[Track], *, mode: Mode = "both", hop: float = 5.0, seed: int = 0
) -> EmbeddedSubmixes:
    """Embed two disjoint sub-mixes of every window in which at least two stems sound.

    Each track is split once, so that no negative of the same track shares a stem with its conditioning; stems that are
    silent in a window are left out of it.
    """
    owners: list[int] = []
    sides: list[torch.Tensor] = []
    for number, track in enumerate(tqdm(tracks, desc="embedding", unit="track", disable=None)):
        rng = np.random.default_rng([seed, number])
        pairs = _submixes(track, hop, rng)
        for batch in torch.from_numpy(pairs).split(4):
            with torch.inference_mode():
                sides.append(model.encoder(batch.flatten(0, 1), mode).unflatten(0, (-1, 2)))
        owners += [number] * len(pairs)
    return EmbeddedSubmixes(np.asarray(owners), torch.cat(sides))


def accuracy_of_two(
    model: CocolaModel, submixes: EmbeddedSubmixes, *, same_track: bool = False, seed: int = 0
) -> Accuracy | None:
    """Return Eq. 8 for K = 2, each window against ten drawn others of another track (or of the same one).

    None where no window has such another.
    """
    with torch.inference_mode():
        scores = model.similarity.matrix(submixes.sides[:, 0], submixes.sides[:, 1]).numpy()
    rng = np.random.default_rng(seed)
    related = submixes.track[:, None] == submixes.track[None, :]
    allowed = (related & ~np.eye(len(related), dtype=bool)) if same_track else ~related
    wins = np.full(len(scores), np.nan)
    for row, candidates in enumerate(allowed):
        if candidates.any():
            drawn = rng.choice(np.flatnonzero(candidates), DRAWS_OF_NEGATIVES)
            wins[row] = np.mean(scores[row, row] > scores[row, drawn])
    scored = ~np.isnan(wins)
    return _with_interval(100 * wins[scored], submixes.track[scored], rng) if scored.any() else None


def score_distributions(
    model: CocolaModel, submixes: EmbeddedSubmixes, *, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the scores of coherent pairs, and of pairs mismatched across tracks: (n,), (n,)."""
    rng = np.random.default_rng(seed)
    others = [int(rng.choice(np.flatnonzero(submixes.track != track))) for track in submixes.track]
    with torch.inference_mode():
        coherent = model.similarity.pairs(submixes.sides[:, 0], submixes.sides[:, 1])
        mismatched = model.similarity.pairs(submixes.sides[:, 0], submixes.sides[others, 1])
    return coherent.numpy(), mismatched.numpy()


def _submixes(track: Track, hop: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return two sub-mixes of each window, (n, 2, L); windows where a side is silent are left out."""
    stems = [_read(stem) for stem in track.stems]
    length = max(len(stem) for stem in stems)
    plan = WindowPlan(hop=hop)
    waveform = np.zeros((len(stems), length), np.float32)
    for row, stem in zip(waveform, stems, strict=True):
        row[: len(stem)] = stem
    subsets = draw_subsets(range(len(stems)), rng)
    submixes = []
    for start in range(0, length - plan.size + 1, plan.step):
        window = waveform[:, start : start + plan.size]
        sounding = audible(window)
        heard = [[stem for stem in subset if sounding[stem]] for subset in subsets]
        if all(heard):
            submixes.append(np.stack([mix_at_level(window[subset], LEVEL_DBFS) for subset in heard]))
    return np.stack(submixes) if submixes else np.zeros((0, 2, plan.size), np.float32)


def _read(stem: Stem) -> NDArray[np.float32]:
    mixed: NDArray[np.float32] = mix_stems([read_audio(file) for file in stem.files]).numpy()
    return mixed


def _with_interval(wins: NDArray[np.float64], tracks: NDArray[np.int64], rng: np.random.Generator) -> Accuracy:
    sums = np.bincount(tracks, wins)
    counts = np.bincount(tracks)
    present = np.flatnonzero(counts)
    drawn = rng.choice(present, (BOOTSTRAP_SAMPLES, len(present)))
    resampled = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Accuracy(float(wins.mean()), float(low), float(high), len(present), len(wins))


def main(arguments: list[str] | None = None) -> None:
    """Print one JSON object: per corpus, accuracies against other tracks and within tracks, with intervals."""
    parser = argparse.ArgumentParser(prog="python -m cocola_metric.training.evaluate", description=__doc__)
    parser.add_argument("corpus", type=Path, nargs="+", help="folder of <track>/<stem> files")
    parser.add_argument("--model", default="embedded", help="known name, folder or .ckpt file")
    parser.add_argument("--mode", choices=MODES, default="both")
    parser.add_argument("--max-tracks", type=int, help="evaluate only the first so many tracks of a corpus")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw the distributions of scores (extra [plot])")
    options = parser.parse_args(arguments)
    checkpoint = hub.load(options.model)
    model = fold_batch_norm(checkpoint.model)
    report: dict[str, object] = {"model": checkpoint.name, "weights": checkpoint.sha256, "mode": options.mode}
    drawn = {}
    for corpus in options.corpus:
        submixes = embed_submixes(model, index_stem_folder(corpus)[: options.max_tracks], mode=options.mode)
        coherent, mismatched = drawn[corpus.name] = score_distributions(model, submixes)
        report[str(corpus)] = {
            **{
                name: accuracy and dataclasses.asdict(accuracy)
                for name, accuracy in (
                    ("other_track", accuracy_of_two(model, submixes)),
                    ("same_track", accuracy_of_two(model, submixes, same_track=True)),
                )
            },
            "coherent_scores": _summary(coherent),
            "mismatched_scores": _summary(mismatched),
        }
    if options.plot:
        from .distributions import plot_distributions

        plot_distributions(options.plot, drawn)
    json.dump(report, sys.stdout, indent=2)
    print()


def _summary(scores: NDArray[np.float32]) -> dict[str, float]:
    quantiles = np.percentile(scores, [5, 50, 95])
    return dict(zip(("p5", "median", "p95"), map(float, quantiles.round(2)), strict=True))


if __name__ == "__main__":
    main()
