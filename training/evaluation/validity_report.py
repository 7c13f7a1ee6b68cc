"""The table of validity, as Markdown and as plain data."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from .classification import Accuracy
from .markdown import NOTHING, markdown_table
from .validity import CUES, GAIN_DB, PITCHED, GainEffect, Validity

NOTE = """\
Share of windows (%) in which the coherent pair beats the same pair made wrong; chance is 50, in brackets the 95 %
BCa interval, resampling tracks. Behind it the share of tracks (%) in which the mean of the windows does, which is how a
whole file is scored. The gain test is passed where the median change of a score is at most a quarter of the
standard deviation of coherent scores. In italics: logistic regressions on a few cues of the same sub-mixes, fitted to
each test and cross-validated by track. Loudness or spectral shape far above 50 would mean that the processing gives
itself away."""
NOTE_ON_CUES = f"""\
The shifts and the transpositions once more, apart by what there is to hear: whether the onsets of the right pair fall
together more than those of the wrong one (within 32 ms; correlation of the onset envelopes), or the parts rather play
in turn; whether both sides are pitched (deviation over mean of the chroma above {PITCHED}; noise has 0.1,
drum kits 0.2 to 0.5), or one is not. Behind it the number of windows with such a comparison."""


def validity_markdown(results: Sequence[Validity]) -> str:
    """Return the results as Markdown."""
    rows = [
        [
            *(result.encoder if result.mode else f"*{result.encoder}*", result.test, result.mode or NOTHING),
            *(_wins_cell(accuracy, result.track_wins.get(kind)) for kind, accuracy in result.wins.items()),
            _gain_cell(result.gain),
        ]
        for result in results
    ]
    header = ["encoder", "test set", "mode", "shift by ½ beat", "transpose by 1 semitone", "stretch by 5 %"]
    table = markdown_table([*header, f"gain of {GAIN_DB:.0f} dB: change / spread"], rows)
    return "\n\n".join([table, NOTE, _markdown_by_cue(results), NOTE_ON_CUES])


def _markdown_by_cue(results: Sequence[Validity]) -> str:
    rows = [
        [result.encoder, result.test, str(result.mode)]
        + [_cued_cell(accuracy) for kind in CUES for accuracy in result.by_cue[kind].values()]
        for result in results
        if result.by_cue
    ]
    return markdown_table(
        ["encoder", "test set", "mode", *(name for _, *names in CUES.values() for name in names)], rows
    )


def validity_as_json(results: Sequence[Validity]) -> list[dict[str, Any]]:
    """Return the results as plain data."""
    return [
        {
            **dataclasses.asdict(result),
            "gain": result.gain and {**dataclasses.asdict(result.gain), "passed": result.gain.passed},
        }
        for result in results
    ]


def _wins_cell(windows: Accuracy | None, tracks: float | None) -> str:
    if windows is None:
        return NOTHING
    return str(windows) if tracks is None else f"{windows}; {tracks:.0f}"


def _cued_cell(windows: Accuracy | None) -> str:
    return NOTHING if windows is None else f"{windows} of {windows.windows}"


def _gain_cell(gain: GainEffect | None) -> str:
    return f"{gain.change:.3g} / {gain.spread:.3g}, {'passed' if gain.passed else 'failed'}" if gain else NOTHING
