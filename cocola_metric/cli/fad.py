"""`cocola-fad`: results on stdout, messages on stderr; exit code 0 for done, 1 for bad input, 2 for wrong usage."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..addresses import located
from ..encoder import MODES
from ..errors import AudioError
from ..fad import CLAP_FILES, EMBEDDERS
from . import program
from .answers import Answer, add_output_options
from .engine import add_engine_options

EXAMPLES = """examples:
  cocola-fad --conditioning mixes/ --generated ours/ --reference real/           sub-FAD, files matched by name
  cocola-fad --generated ours/ --reference real/ --embedder vggish               FAD of whole clips
  cocola-fad --generated ours/ --reference real/ --save-reference real.npz       keep the reference statistics ...
  cocola-fad --generated theirs/ --reference real.npz                            ... and use them again
  cocola-fad --generated ours/ --reference real/ --engine ray --workers 8        embedded by many processes

clap, encodec and vggish need pip install 'cocola-metric[fad]' and their weights (docs/fad.md).
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``cocola-fad`` and return its exit code."""
    options = _parser().parse_args(arguments)

    def command() -> Answer:
        from .fad_commands import fad

        return fad(options)

    unfinished = "nothing was kept" if options.no_cache else "the same command goes on from here"
    return program.run("cocola-fad", command, bad_input=AudioError, unfinished=unfinished, options=options)


def _parser() -> argparse.ArgumentParser:
    description = "Fréchet audio distance of clips, or of mixtures with their conditioning (sub-FAD)."
    parser = program.new_parser("cocola-fad", description, EXAMPLES)
    parser.add_argument("--conditioning", type=located, metavar="DIR", help="music the clips were made for: sub-FAD")
    parser.add_argument("--generated", type=located, metavar="DIR", required=True, help="audio files to judge")
    parser.add_argument("--reference", type=located, metavar="DIR", required=True, help="real ones, or their .npz file")
    parser.add_argument("--save-reference", type=program.local, metavar="NPZ", help="keep statistics of the reference")
    parser.add_argument("--strict", action="store_true", help="stop at the first file that cannot be embedded")
    parser.add_argument("--per-song", action="store_true", help="print the FAD of every generated file, too")
    parser.add_argument("--resamples", type=int, default=200, metavar="N", help="draws behind the interval (200)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of every draw (0)")
    add_output_options(parser)
    cache = parser.add_argument_group("embeddings already made", "a stopped run goes on from those it has made")
    cache.add_argument("--cache", type=program.local, metavar="DIR", help="(~/.cache/cocola-metric/embeddings)")
    cache.add_argument("--no-cache", action="store_true", help="keep none, use none")
    embedder = parser.add_argument_group("embedder")
    embedder.add_argument("--embedder", choices=(*EMBEDDERS, "all"), default="cocola", help="(default: cocola)")
    embedder.add_argument(
        "--model", default="embedded", help="encoder of cocola, as for cocola-score (default: embedded)"
    )
    embedder.add_argument("--mode", choices=MODES, default="both", help="mode of cocola (default: both)")
    embedder.add_argument("--device", help="device of cocola, such as cpu or cuda:0 (default: a GPU if there is one)")
    embedder.add_argument(
        "--weights", type=Path, metavar="DIR", help="weights of the others (default: torch's hub folder)"
    )
    embedder.add_argument("--download", action="store_true", help="let the others fetch missing weights")
    embedder.add_argument("--clap-submodel", choices=CLAP_FILES, default="630k-audioset", help="(630k-audioset)")
    embedder.add_argument("--encodec-axis", choices=("time", "legacy"), default="time", help="legacy: as before 2026")
    add_engine_options(parser)
    return parser
