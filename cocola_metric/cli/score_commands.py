"""The work of `cocola-score` with one pair, and of `cocola-convert`."""

import argparse
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import checkpoints
from ..addresses import Address, Place
from ..audio import AudioInput
from ..encoder import MODES
from ..errors import CheckpointError, CocolaError, UsageError
from ..reading import READINGS, Anchors, Reading, sentence
from ..scorer import CocolaScorer
from ..scoring import WindowScores
from ..signature import anchored_signature
from .answers import WARNING, Answer, prints_text, rounded, shown
from .manifests import cell
from .opening import open_scorer, say_reused
from .pairs import Pair, is_folder, match_folders, read_pairs
from .program import say


def score(options: argparse.Namespace) -> Answer:
    """Score one pair, or the pairs of a manifest or of two folders."""
    if options.citation:
        from .citation import citation

        return citation(options)
    if options.pairs is not None:
        if options.conditioning or options.conditioning_stems or options.accompaniment_stems:
            raise UsageError("--pairs names all files; leave out the other inputs")
        return _score_many(options, read_pairs(options.pairs))
    conditioning = side("conditioning", options.conditioning, options.conditioning_stems)
    accompaniment = side("accompaniment", options.accompaniment, options.accompaniment_stems)
    if (
        isinstance(conditioning, Path | Address)
        and isinstance(accompaniment, Path | Address)
        and is_folder(conditioning)
    ):
        return _score_many(options, match_folders(conditioning, accompaniment))
    if options.out is not None or options.windows:
        raise UsageError(
            "--out and --windows need many pairs (--pairs or two folders); leave them out, one pair is printed whole"
        )
    if options.engine == "ray":
        raise UsageError("--engine ray is for many pairs (--pairs or two folders); one pair is scored in process")
    if options.anchor:
        raise UsageError("--anchor shuffles many pairs; for one pair, name a list of pairs with --anchor-pairs")
    return _score_pair(options, conditioning, accompaniment)


def convert(options: argparse.Namespace) -> Answer:
    """Convert a checkpoint of the original authors to a folder."""
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
    return Answer(
        {
            "folder": str(options.folder),
            "sha256": sha256,
            "front_end": model.config.front_end,
            "tensors": len(model.state_dict()),
        }
    )


def side(name: str, single: Place | None, stems: list[Place] | None) -> AudioInput:
    """Return the input of one side, named by one file or by its stems.

    Raises:
        UsageError: it is named twice, or not at all.
    """
    if (single is None) == (stems is None):
        raise UsageError(f"the {name} must be named once; pass one file, or several stems after --{name}")
    return single if single is not None else list(stems or [])


def _score_many(options: argparse.Namespace, pairs: list[Pair]) -> Answer:
    from .score_many import score_many  # here: a score of one pair needs none of it

    return score_many(options, pairs)


def _score_pair(options: argparse.Namespace, conditioning: AudioInput, accompaniment: AudioInput) -> Answer:
    if options.plot_modes and options.plot is None:
        raise UsageError("--plot-modes says what to draw; name the picture with --plot")
    if options.plot is not None:
        from ..plot import check_picture

        check_picture(options.plot)
    scorer = open_scorer(options)
    scores = scorer.score_windows(conditioning, accompaniment)
    anchors, signature = None, scorer.signature
    if options.anchor_pairs is not None:
        from .anchoring import anchor_name, measured_anchors

        anchors = measured_anchors(scorer, options.anchor_pairs, options.group)
        signature = anchored_signature(signature, anchor_name(options.anchor_pairs))
    say_reused(scorer)
    if not prints_text(options):
        for suspicion in scores.suspicions:
            say("cocola-score", suspicion)
    drawn = options.plot is None or _draw(options, scorer, conditioning, accompaniment, scores)
    readings: dict[str, float | None] = {name: rounded(getattr(scores, name)) for name in READINGS}
    if anchors is not None:
        readings["anchored"] = rounded(anchors.anchored(scores.mean))
    values: dict[str, Any] = {
        "score": rounded(scores.mean),
        **readings,
        "windows": [
            {"start": start, "score": rounded(value)} for start, value in zip(scores.starts, scores.scores, strict=True)
        ],
        "silent_windows": scores.silent_windows,
        "echo": rounded(scores.mean_echo),
        "noise": rounded(scores.mean_noise),
        "signature": signature,
    }
    row: dict[str, Any] = {"conditioning": cell(_names(conditioning)), "accompaniment": cell(_names(accompaniment))}
    row |= {name: len(value) if isinstance(value, list) else value for name, value in values.items()}
    return Answer(
        values,
        0 if drawn else 2,
        lines=[
            ("score", shown(scores.mean)),
            (
                "reading",
                reading_line(scores.reading, scores.mean, anchors) + "; see the warning" * bool(scores.suspicions),
            ),
            ("windows", _windows_line(scores)),
            *((WARNING, suspicion) for suspicion in scores.suspicions),
            ("signature", signature),
        ],
        rows=[row],
        scores=[scores.mean],
    )


def _names(audio: AudioInput) -> list[str]:
    return [str(path) for path in (audio if isinstance(audio, list) else [audio])]


def reading_line(reading: Reading | None, score: float, anchors: Anchors | None) -> str:
    """Return one line about where a score lies; empty if nothing is known about that."""
    if anchors is None:
        return "" if reading is None else sentence(reading)
    own = anchors.anchored(score)
    if reading is None:
        return f"at {own:.2f} from your shuffled (0) to your true (1) pairs"
    return f"{sentence(replace(reading, anchored=own))} of your own"


def _windows_line(scores: WindowScores) -> str:
    heard = [(value, start) for value, start in zip(scores.scores, scores.starts, strict=True) if not math.isnan(value)]
    (least, early), (most, late) = min(heard), max(heard)
    silent = f", {scores.silent_windows} silent" if scores.silent_windows else ""
    return f"{len(scores.scores)}{silent}; lowest {shown(least)} at {early:g} s, highest {shown(most)} at {late:g} s"


def _draw(
    options: argparse.Namespace,
    scorer: CocolaScorer,
    conditioning: AudioInput,
    accompaniment: AudioInput,
    scores: WindowScores,
) -> bool:
    """Draw the scores, and tell whether it worked; a failed picture does not affect the score."""
    try:
        modes = MODES if options.plot_modes else ()
        scorer.plot(options.plot, conditioning, accompaniment, modes=modes, scores=scores)
    except CocolaError as error:
        say("cocola-score", error)
        return False
    return True
