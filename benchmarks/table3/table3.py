"""Regenerate Table 3: generators x metrics per data set, the published value beside ours.

Stages: generate, score, table. Each is kept under --out, goes on where it stopped, and does nothing twice. Written are
table3.md, table3.json, and table3.html with score distributions and the best and worst examples to listen to.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from cocola_metric.errors import CocolaError, UsageError
from cocola_metric.fad import EMBEDDERS
from cocola_metric.whole_files import write_text_whole

from ..generators import GENERATORS
from .data import Table, system_without_weights
from .markdown import print_table
from .ray_engine import RayEngine
from .report import print_page
from .report_examples import choose_examples, read_scores
from .scoring import score_in_process
from .stages import Entry, generate_stage, open_manifests, open_metrics, score_stage, table_stage
from .tasks import SYSTEMS

STAGES = ("generate", "score", "table")
ENGINES = ("in-process", "ray")
MEGABYTE = 1_000_000


def make_table(options: argparse.Namespace) -> dict[str, object]:
    """Run the stages asked for; return what was made, as plain data.

    Raises:
        CocolaError: something cannot be read, generated or scored.
    """
    entries = _entries(options.generators, options.candidates)
    corpora = options.corpus or [None] * len(options.queries)
    if len(corpora) != len(options.queries):
        raise UsageError(f"{len(corpora)} corpora for {len(options.queries)} manifests: pass one for each, or none")
    manifests = open_manifests(options.queries, corpora, options.out, options.band)
    last = STAGES.index(options.until)
    opened = RayEngine(options.workers) if options.engine == "ray" else nullcontext(score_in_process)
    metrics = open_metrics(options.encoders, options.embedders, options.device, options.band) if last else []
    answered = [
        generate_stage(manifest, entries, seed=options.seed, device=options.device, batch_size=options.batch_size)
        for manifest in manifests
    ]
    if last == 0:
        return {"answers": [str(one.folder.root) for group in answered for one in group]}
    with opened as engine:
        cells = [
            score_stage(manifest, group, metrics, engine) for manifest, group in zip(manifests, answered, strict=True)
        ]
    if isinstance(engine, RayEngine) and engine.scored:
        print(f"table3: {engine.summary}", file=sys.stderr)
    sections = [
        table_stage(manifest, entries, group, metrics, known)
        for manifest, group, known in zip(manifests, answered, cells, strict=True)
    ]
    table = Table([metric.column for metric in metrics], sections, options.band)
    if last == 1:
        return {"scores": [str(manifest.root / "scores") for manifest in manifests]}
    scores = read_scores(table, options.out)
    examples = choose_examples(table, scores, manifests, answered, limit=round(options.audio_megabytes * MEGABYTE))
    written = {
        "table3.md": print_table(table),
        "table3.json": json.dumps(table.as_json(), indent=1) + "\n",
        "table3.html": print_page(table, scores, examples),
    }
    for name, text in written.items():
        write_text_whole(options.out / name, text)
    return {"table": [str(options.out / name) for name in written]}


def _entries(specs: Sequence[str], candidates: Sequence[str]) -> list[Entry]:
    if len(set(specs)) < len(specs):
        raise UsageError("a generator is asked for twice: name each once")
    unknown = [spec for spec in specs if spec.partition(":")[0] not in GENERATORS and not system_without_weights(spec)]
    if unknown:
        raise UsageError(f"no generator {unknown[0]!r}: pass {', '.join(GENERATORS)} or a system of the paper")
    counts: dict[str, int] = {}
    for text in candidates:
        name, _, number = text.partition("=")
        if not number.isdecimal() or name not in {spec.partition(":")[0] for spec in specs}:
            raise UsageError(f"--candidates {text}: write NAME=N with the name of a generator of this table")
        counts[name] = int(number)
    return [replace(Entry(spec), candidates=counts.get(spec.partition(":")[0], 1)) for spec in specs]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cocola_metric.benchmarks table3",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--queries", type=Path, action="append", required=True, metavar="JSONL", help="a manifest; may be repeated"
    )
    parser.add_argument("--corpus", action="append", help="where its music lies, one for each --queries; else as drawn")
    systems = ", ".join(name.lower() for name in SYSTEMS)
    parser.add_argument(
        "--generators",
        nargs="+",
        default=["ground_truth", "random"],
        help=f"{', '.join(GENERATORS)}; folder:DIR; or {systems} alone, for a row that says why it has no numbers",
    )
    parser.add_argument(
        "--encoders", nargs="*", default=["embedded"], help="of COCOLA: name, path, repository, or NAME=PLACE"
    )
    parser.add_argument("--embedders", nargs="*", default=["cocola"], help=f"of sub-FAD: {', '.join(EMBEDDERS)}")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for answers, scores and table")
    parser.add_argument(
        "--candidates", nargs="*", default=[], metavar="NAME=N", help="take the loudest of N answers (msdm=12)"
    )
    parser.add_argument("--band", type=float, metavar="HZ", help="limit all audio to this frequency before scoring")
    parser.add_argument("--until", choices=STAGES, default="table", help="last stage to run")
    parser.add_argument("--seed", type=int, default=0, help="of the answers")
    parser.add_argument("--batch-size", type=int, default=1, help="queries that a generator answers at a time")
    parser.add_argument("--device", default="cpu", help="as torch names it: cpu, cuda, mps")
    parser.add_argument(
        "--engine", choices=ENGINES, default="in-process", help="of COCOLA scores: here, or over machines through Ray"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes of --engine ray, one for each machine")
    parser.add_argument("--audio-megabytes", type=float, default=3.0, help="most audio in the page (default: 3)")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        report = make_table(options)
    except CocolaError as error:
        parser.exit(1, f"table3: {error}\n")
    except KeyboardInterrupt:
        parser.exit(130, "table3: interrupted; the same command goes on from here\n")
    json.dump(report, sys.stdout)
    print()
