"""Export the queries of a manifest for an external system: the audio that is given, and the prompt.

Each query becomes a folder ``<query id>/`` with ``conditioning.wav``, ``stems/<tag>.wav``, ``prompt.txt`` and
``query.json``. Answers go into another folder, as ``<query id>.wav``, with the ``generated.json`` exported here.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from cocola_metric.identity import file_sha256
from cocola_metric.whole_files import make_folder, write_text_whole

from ..queries import ConditioningAudio, Query, find_tracks, query_as_json, read_queries
from .folder import write_about, write_wav_whole


def export_query(
    query: Query, audio: ConditioningAudio, out: Path, *, sample_rate: int | None = None, seconds: float | None = None
) -> Path:
    """Write the folder of a query; of what is asked for it holds the tags only. Where nothing is given, no audio is.

    Args:
        query: query of a manifest.
        audio: audio of the queries.
        out: folder of all queries' folders.
        sample_rate: rate of the output, in Hz; None keeps that of the files.
        seconds: length of audio to write, in seconds, for systems that want more than the query's window; answers are
            cut to the window.

    Returns:
        The folder, ``<out>/<query id>``.

    Raises:
        AudioError: a file of the corpus is missing or damaged.
    """
    folder = out / query.id
    make_folder(folder / "stems")
    rate = sample_rate or audio.native_rate(query)
    stems = audio.conditioning_stems(query, rate, seconds=seconds)
    for tag, samples in stems.items():
        write_wav_whole(folder / "stems" / f"{tag}.wav", samples, rate)
    if stems:
        write_wav_whole(folder / "conditioning.wav", np.sum(list(stems.values()), axis=0), rate)
    write_text_whole(folder / "prompt.txt", query.prompt + "\n")
    write_text_whole(folder / "query.json", json.dumps(query_as_json(query), indent=2) + "\n")
    return folder


def run(options: argparse.Namespace) -> None:
    """Export as the options of the command say."""
    queries, sha256 = read_queries(options.queries), file_sha256(options.queries)
    audio = ConditioningAudio(find_tracks(options.queries, queries, options.corpus))
    for query in tqdm(queries, desc="exporting", unit="query", disable=None):
        export_query(query, audio, options.out, sample_rate=options.sample_rate, seconds=options.seconds)
    write_about(options.out, sha256, options.content, {"generator": options.generator})
    json.dump({"queries": len(queries), "queries_sha256": sha256, "out": str(options.out)}, sys.stdout)
    print()
