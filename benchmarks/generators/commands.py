"""The commands of this room: export, generate."""

from collections.abc import Sequence
from pathlib import Path

from cocola_metric.dispatch import new_parser, reporting

from .content import CONTENTS
from .registry import GENERATORS, GUIDED, with_guide

PACKAGE = "cocola_metric.benchmarks"


def export(arguments: Sequence[str] | None = None) -> None:
    """Export the queries of a manifest for an external system: the audio that is given, and the prompt.

    Each query becomes a folder <query id>/ with conditioning.wav, stems/<tag>.wav, prompt.txt and query.json. Answers
    go into another folder, as <query id>.wav, with the generated.json exported here.
    """
    parser = new_parser(PACKAGE, "export", export.__doc__)
    parser.add_argument("--queries", type=Path, required=True, metavar="JSONL", help="the manifest")
    parser.add_argument("--corpus", help="folder of its music (default: the one it was drawn on)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the queries")
    parser.add_argument("--sample-rate", type=int, metavar="HZ", help="default: that of the files")
    parser.add_argument("--seconds", type=float, help="more context than the query's window, from the same start on")
    parser.add_argument("--generator", default="", help="name of the external system, for its row")
    parser.add_argument("--content", choices=CONTENTS, default=CONTENTS[0], help="what its answers will hold")
    options = parser.parse_args(arguments)
    with reporting(parser, folders=[options.out]):
        from .export import run

        run(options)


def generate(arguments: Sequence[str] | None = None) -> None:
    """Let a generator answer the queries of a manifest: the first stage of Table 3.

    A run that was stopped goes on when the same command is given again; an answer is made anew only if its query, its
    audio, the generator or the seed has changed.
    """
    parser = new_parser(PACKAGE, "generate", generate.__doc__)
    parser.add_argument("--queries", type=Path, required=True, metavar="JSONL", help="the manifest")
    parser.add_argument("--corpus", help="folder of its music (default: the one it was drawn on)")
    parser.add_argument(
        "--generator", required=True, help=f"{', '.join(GENERATORS)}; folder:DIR for WAVs made elsewhere"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the answers")
    guided = parser.add_argument_group(
        "guidance by the score of an encoder", f"of {', '.join(GUIDED)}; docs/guidance.md"
    )
    guided.add_argument("--guide", metavar="ENCODER", help="encoder that guides: name, folder or file; not the judge")
    guided.add_argument("--guide-weight", metavar="W", help="answers are as likely as before, times exp(W * score)")
    guided.add_argument("--guide-schedule", metavar="WHEN", help="constant, rising, early or late")
    guided.add_argument("--guide-limit", metavar="R", help="largest norm of what is added, relative to the noise")
    parser.add_argument("--candidates", type=int, default=1, help="take the loudest of so many answers (MSDM: 12)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the answers (default: 0)")
    parser.add_argument("--batch-size", type=int, default=1, help="queries at a time")
    parser.add_argument("--device", default="cpu", help="as torch names it: cpu, cuda, mps")
    options = parser.parse_args(arguments)
    if Path(options.generator.partition(":")[2] or ".").expanduser().resolve() == options.out.resolve():
        parser.error("--out is the folder that the answers are read from; give another one")
    with reporting(parser, folders=[options.out], interrupted="the same command goes on from here"):
        options.generator = with_guide(options.generator, vars(options))
        from .generate import run

        run(options)


def samplers(arguments: Sequence[str] | None = None) -> None:
    """Compare the samplers of MSDM and GMSDI with Gaussian sources, whose posteriors are known, and print tables."""
    parser = new_parser(PACKAGE, "samplers", samplers.__doc__)
    parser.parse_args(arguments)
    with reporting(parser, folders=[]):
        from .gaussian import run

        run()
