"""The work of the commands: score one pair, score many, rank candidates, convert a checkpoint."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from .. import checkpoints
from ..audio import AudioInput, cancelling_channels
from ..errors import AudioError, CheckpointError, CocolaError, UsageError
from ..scorer import CocolaScorer
from ..scoring import WindowScores
from .pairs import Pair, is_folder, match_folders, read_pairs
from .program import Result, say
from .score_file import ScoreFile, check_place

DECIMALS = 4  # of a printed score; more would show rounding of float32


def score(options: argparse.Namespace) -> Result:
    """Score one pair, or the pairs of a manifest or of two folders; return the result to print, and the exit code."""
    if options.pairs is not None:
        if options.conditioning or options.conditioning_stems or options.accompaniment_stems:
            raise UsageError("--pairs names all files; leave out the other inputs")
        return _score_many(options, read_pairs(options.pairs))
    conditioning = _side("conditioning", options.conditioning, options.conditioning_stems)
    accompaniment = _side("accompaniment", options.accompaniment, options.accompaniment_stems)
    if isinstance(conditioning, Path) and isinstance(accompaniment, Path) and is_folder(conditioning):
        return _score_many(options, match_folders(conditioning, accompaniment))
    if options.out is not None or options.windows:
        raise UsageError(
            "--out and --windows need many pairs (--pairs or two folders); leave them out, one pair is printed whole"
        )
    if options.plot is not None:
        from ..plot import check_picture

        check_picture(options.plot)
    scorer = _scorer(options)
    scores = scorer.score_windows(conditioning, accompaniment)
    _say_reused(scorer)
    for suspicion in scores.suspicions:
        say("cocola-score", suspicion)
    drawn = options.plot is None or _draw(options.plot, conditioning, accompaniment, scores, scorer.plan.window)
    return {
        "score": round(scores.mean, DECIMALS),
        "windows": _windows(scores),
        "silent_windows": scores.silent_windows,
        "echo": round(scores.mean_echo, DECIMALS),
        "noise": round(scores.mean_noise, DECIMALS),
        "signature": scorer.signature,
    }, 0 if drawn else 2


def rank(options: argparse.Namespace) -> Result:
    """Rank candidates for one piece of music; return the result to print, and the exit code."""
    scorer = _scorer(options)
    pairs = ((options.conditioning, candidate) for candidate in options.candidates)
    results = scorer.iter_scores(pairs, guards=False)
    scored: list[tuple[float, str]] = []
    failures = 0
    progress = tqdm(results, total=len(options.candidates), unit="file", disable=None, leave=False)
    for candidate, result in zip(options.candidates, progress, strict=True):
        reason = _reason(result, options.conditioning, candidate)
        if reason is None and isinstance(result, WindowScores):
            scored.append((result.mean, str(candidate)))
            continue
        failures += 1
        _report(reason, candidate, options.strict)
    _say_reused(scorer)
    scored.sort(key=lambda entry: -entry[0])
    return {
        "conditioning": str(options.conditioning),
        "ranking": [{"candidate": candidate, "score": value} for value, candidate in scored],
        "failed": failures,
        "signature": scorer.signature,
    }, int(failures > 0)


def convert(options: argparse.Namespace) -> Result:
    """Convert a checkpoint of the original authors to a folder; return the result to print, and the exit code."""
    source: Path = options.checkpoint
    if not source.exists():
        raise CheckpointError(f"{source}: no such file; pass the .ckpt file that the authors publish, or a folder")
    from ..checkpoints import CardFacts, new_folder, save_with_card

    with new_folder(options.folder, replace=options.force) as folder:
        checkpoint = checkpoints.load(source)
        origin = (
            f"See `{source.name}` (SHA-256 `{checkpoint.sha256}`), from which `cocola-convert` made this folder: the "
            "tensors are those of that file under other names, bit for bit, and its licence is theirs."
        )
        model = checkpoint.model
        sha256 = save_with_card(model.config, model.state_dict(), folder, CardFacts(training_data=origin))
    return {
        "folder": str(options.folder),
        "sha256": sha256,
        "front_end": model.config.front_end,
        "tensors": len(model.state_dict()),
    }, 0


def _score_many(options: argparse.Namespace, pairs: list[Pair]) -> Result:
    if options.out is None:
        raise UsageError("many pairs need --out FILE.csv or FILE.jsonl to write their scores to")
    if options.plot is not None:
        raise UsageError("--plot draws one pair; leave it out, or score that pair alone")
    check_place(options.out, options.pairs, with_windows=options.windows)
    scorer = _scorer(options)
    failures = 0
    with ScoreFile(options.out, scorer.signature, pairs, with_windows=options.windows) as file:
        for message in file.damaged:
            say("cocola-score", message)
        todo = file.todo
        results = scorer.iter_scores((pair.conditioning, pair.accompaniment) for pair in todo)
        progress = tqdm(results, total=len(pairs), initial=file.reused, unit="pair", disable=None)
        for index, (pair, result) in enumerate(zip(todo, progress, strict=True)):
            reason = file.write(index, str(result) if isinstance(result, AudioError) else result)
            if reason is not None:
                failures += 1
                _report(reason, pair.name, options.strict)
            elif isinstance(result, WindowScores):
                silence = _reason(result, pair.conditioning, pair.accompaniment)
                for remark in [silence] if silence else result.suspicions:
                    say("cocola-score", f"{pair.name}: {remark}")
        means, silent, suspects = np.asarray(file.scores()), file.silent(), file.suspects()
        groups = file.groups(options.group) if options.group else list(map(str, range(len(means))))
    _say_reused(scorer)
    return {
        "pairs": len(pairs),
        "scored": len(means),
        "reused": file.reused,
        "failed": failures,
        "silent": silent,
        "suspect": suspects,
        "mean": float(means.mean()) if len(means) else None,
        "interval": _interval(means, groups),
        "standard_deviation": float(means.std(ddof=1)) if len(means) > 1 else None,
        "out": str(options.out),
        "signature": scorer.signature,
    }, int(failures > 0)


def _interval(scores: NDArray[np.float64], groups: Sequence[str]) -> list[float] | None:
    """Return the 95 % interval of a mean; None where there is only one group."""
    from ..intervals import clustered_interval

    interval = clustered_interval(scores, groups) if len(set(groups)) > 1 else (math.nan, math.nan)
    return None if math.isnan(interval[0]) else list(interval)


def _scorer(options: argparse.Namespace) -> CocolaScorer:
    return CocolaScorer.from_pretrained(
        options.model,
        mode=options.mode,
        device=options.device,
        window=options.window,
        hop=options.hop,
        batch_size=options.batch_size,
        symmetric=options.symmetric,
        cache=options.cache,
    )


def _say_reused(scorer: CocolaScorer) -> None:
    if scorer.reused:
        say("cocola-score", f"{scorer.reused} of {scorer.requested} audios were in the cache")


def _side(name: str, single: Path | None, stems: list[Path] | None) -> AudioInput:
    if (single is None) == (stems is None):
        raise UsageError(f"the {name} must be named once; pass one file, or several stems after --{name}")
    return single if single is not None else list(stems or [])


def _draw(file: Path, conditioning: AudioInput, accompaniment: AudioInput, scores: WindowScores, window: float) -> bool:
    """Draw the scores, and tell whether it worked; a failed picture does not affect the score."""
    from ..plot import plot_scores

    try:
        plot_scores(file, conditioning, accompaniment, scores, window=window)
    except CocolaError as error:
        say("cocola-score", error)
        return False
    return True


def _windows(scores: WindowScores) -> list[dict[str, float | None]]:
    return [
        {"start": start, "score": None if math.isnan(value) else round(value, DECIMALS)}
        for start, value in zip(scores.starts, scores.scores, strict=True)
    ]


def _reason(result: WindowScores | AudioError, *sides: AudioInput) -> str | None:
    """Return the reason why there is no score, or None if there is one."""
    if isinstance(result, AudioError):
        return str(result)
    if not math.isnan(result.mean):
        return None
    hint = cancelling_channels(*sides)
    return "in every window one side is silent" + (f"; {hint}" if hint else "")


def _report(reason: str | None, subject: object, strict: bool) -> None:
    if strict:
        raise AudioError(f"{subject}: {reason}; stopped because of --strict")
    say("cocola-score", f"{subject}: {reason}")
