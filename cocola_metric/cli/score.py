"""The command line: results on stdout, messages on stderr; exit code 0 for done, 1 for bad input, 2 for wrong usage."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..addresses import located
from ..encoder import MODES
from ..errors import AudioError, CheckpointError
from . import program
from .answers import Answer, add_output_options
from .engine import add_engine_options
from .program import local

EXAMPLES = """examples:
  cocola-score mix.wav guitar.wav                        one pair
  cocola-score -c drums.wav bass.wav -a guitar.wav       stems of one side are summed
  cocola-score --pairs pairs.csv --out scores.csv        columns conditioning, accompaniment (or a JSONL file)
  cocola-score mixes/ generated/ --out scores.jsonl      two folders, files matched by name
  cocola-score --pairs pairs.csv --out scores.csv --engine ray --workers 8
  cocola-score --pairs real.csv --out real.csv --anchor  scores from shuffled pairs (0) to true ones (1)
  cocola-score s3://bucket/mixes s3://bucket/generated --out scores.csv   also gs://, hf:// (extra [remote])
  cocola-score rank mix.wav loops/ --top 10              the best-fitting candidates first
  cocola-score rank -c drums.wav bass.wav -a loops/      for stems
  cocola-score compare baseline.csv ours.csv             is the difference of two systems more than chance?
"""
RANKING_EXAMPLES = """examples:
  cocola-score rank mix.wav loops/                              all audio files of a folder
  cocola-score rank mix.wav loops/*.wav --top 10 --format csv
  cocola-score rank -c drums.wav bass.wav -a loops/             stems of the conditioning are summed
  cocola-score rank mix.wav "keys1.wav;pad1.wav" "keys2.wav;pad2.wav"    so are those of a candidate
"""
CONVERSION = """example:
  cocola-convert COCOLA_HP_v1.ckpt cocola-hp/ && cocola-score --model cocola-hp/ mix.wav guitar.wav

Nothing in the file is executed. Exit code 1: the file is not such a checkpoint; 2: the folder cannot be written.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``cocola-score`` and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["compare"]:
        from . import compare

        return compare.main(given[1:])
    ranking = given[:1] == ["rank"]
    options = _rank_parser().parse_args(given[1:]) if ranking else _score_parser().parse_args(given)

    def command() -> Answer:
        if ranking:
            from .rank_command import rank as work
        else:
            from .score_commands import score as work
        return work(options)

    unfinished = "nothing was written" if ranking else "the same command with the same --out goes on from here"
    return program.run("cocola-score", command, bad_input=AudioError, unfinished=unfinished, options=options)


def convert(arguments: Sequence[str] | None = None) -> int:
    """Run ``cocola-convert`` and return its exit code."""
    options = _convert_parser().parse_args(arguments)

    def command() -> Answer:
        from .score_commands import convert as work

        return work(options)

    return program.run("cocola-convert", command, bad_input=CheckpointError, unfinished="nothing was written")


def _score_parser() -> argparse.ArgumentParser:
    parser = program.new_parser(
        "cocola-score", "Score how well an accompaniment fits the music it was made for.", EXAMPLES
    )
    parser.add_argument("conditioning", nargs="?", type=located, metavar="CONDITIONING", help="audio file, or folder")
    parser.add_argument("accompaniment", nargs="?", type=located, metavar="ACCOMPANIMENT", help="audio file, or folder")
    stems = parser.add_argument_group("several stems a side")
    stems.add_argument("-c", "--conditioning", dest="conditioning_stems", nargs="+", type=located, metavar="STEM")
    stems.add_argument("-a", "--accompaniment", dest="accompaniment_stems", nargs="+", type=located, metavar="STEM")
    many = parser.add_argument_group("many pairs")
    many.add_argument("--pairs", type=located, metavar="FILE", help="CSV or JSONL with conditioning and accompaniment")
    many.add_argument(
        "--out", type=local, metavar="FILE", help="CSV or JSONL to write; an interrupted run goes on in it"
    )
    many.add_argument("--group", metavar="COLUMN", help="column, such as track, that the interval of the mean redraws")
    many.add_argument("--windows", action="store_true", help="write the score of every window too (JSONL)")
    many.add_argument("--strict", action="store_true", help="stop at the first file that cannot be scored")
    reading = parser.add_argument_group("anchored scores")
    anchor = reading.add_mutually_exclusive_group()
    anchor.add_argument(
        "--anchor", action="store_true", help="0: mean of these pairs shuffled, 1: mean of them as given"
    )
    anchor.add_argument("--anchor-pairs", type=located, metavar="FILE", help="the same, of a list of pairs that fit")
    parser.add_argument("--citation", action="store_true", help="print BibTeX of paper, package and encoder")
    parser.add_argument("--plot", type=local, metavar="PNG", help="draw the score over time (extra [plot]; one pair)")
    parser.add_argument("--plot-modes", action="store_true", help="draw all three modes, on the scale of the reference")
    add_output_options(parser)
    _add_encoder_options(parser)
    add_engine_options(parser)
    return parser


def _rank_parser() -> argparse.ArgumentParser:
    parser = program.new_parser(
        "cocola-score rank", "Rank candidates by how well they fit a piece of music.", RANKING_EXAMPLES
    )
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="conditioning, then candidates: files, or folders of them"
    )
    stems = parser.add_argument_group("several stems a side")
    stems.add_argument("-c", "--conditioning", dest="conditioning_stems", nargs="+", metavar="STEM")
    stems.add_argument("-a", "--accompaniment", dest="accompaniment_stems", nargs="+", metavar="CANDIDATE")
    parser.add_argument("--top", type=int, metavar="N", help="print only the first N")
    parser.add_argument("--out", type=local, metavar="CSV", help="write the whole ranking to a file, too")
    parser.add_argument("--strict", action="store_true", help="stop at the first file that cannot be scored")
    add_output_options(parser)
    _add_encoder_options(parser)
    return parser


def _convert_parser() -> argparse.ArgumentParser:
    parser = program.new_parser(
        "cocola-convert", "Convert a checkpoint of the original authors to a folder that scores the same.", CONVERSION
    )
    parser.add_argument("checkpoint", type=Path, metavar="CKPT", help="the file, as the authors publish it")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="to write config.json and model.safetensors in")
    parser.add_argument("--force", action="store_true", help="replace the folder, if it holds another checkpoint")
    return parser


def _add_encoder_options(parser: argparse.ArgumentParser) -> None:
    encoder = parser.add_argument_group("encoder and windows")
    encoder.add_argument(
        "--model", default="embedded", help="known name, folder, .ckpt file or Hub repository (default: embedded)"
    )
    encoder.add_argument(
        "--mode", choices=MODES, default="both", help="part of the sound that is scored (default: both)"
    )
    encoder.add_argument("--device", help="such as cpu or cuda:0 (default: a GPU if there is one)")
    encoder.add_argument(
        "--reference",
        default="own",
        metavar="FILE",
        help="file by which scores are read (default: that in the encoder's folder)",
    )
    encoder.add_argument("--symmetric", action="store_true", help="mean of both directions, whatever the order")
    encoder.add_argument("--batch-size", type=int, metavar="N", help="windows encoded at a time; scores do not change")
    encoder.add_argument(
        "--cache",
        nargs="?",
        const="default",
        metavar="DIR",
        help="keep embeddings by content, and embed no file twice (without DIR: ~/.cache/cocola-metric/embeddings)",
    )
    encoder.add_argument("--window", type=float, default=5.0, metavar="S", help="window length in seconds (default: 5)")
    encoder.add_argument(
        "--hop", type=float, default=2.5, metavar="S", help="seconds from window to window (default: 2.5)"
    )
