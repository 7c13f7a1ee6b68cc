"""Small JSON files beside audio: damaged, each is one error that names the file, or work that is done again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cocola_metric.benchmarks.generators.folder import open_generated
from cocola_metric.benchmarks.queries.audio import find_tracks
from cocola_metric.benchmarks.queries.manifest import read_queries
from cocola_metric.errors import CocolaError
from cocola_metric.training.corpora.bank import TRACKS, open_bank
from cocola_metric.training.corpora.moisesdb import index_moisesdb
from cocola_metric.training.corpora.stem_folders import GROUPS_FILE, index_stem_folder

CONTENTS = {
    "empty": b"",
    "cut": b'{"one": {"bass.wav": "ba',
    "binary": bytes(range(256)),
    "utf-16": '{"one": {}}'.encode("utf-16"),
    "deep": b"[" * 200_000,
    "NaN": b'{"one": NaN, "stems": NaN, "corpus": NaN}',
    "list": b"[1, 2]",
    "number": b"5",
    "null": b"null",
    "other values": b'{"one": 5, "stems": 5, "corpus": 5, "content": 5, "queries_sha256": 5}',
    "lists in it": b'{"one": ["x"], "stems": [1], "corpus": [], "content": [], "queries_sha256": {}}',
    "objects in it": b'{"one": {"bass.wav": []}, "stems": [{}], "corpus": {}, "content": {}}',
    "long number": b'{"one": ' + b"9" * 5000 + b"}",
}


def groups(folder: Path, content: bytes) -> None:
    (folder / "one").mkdir()
    (folder / GROUPS_FILE).write_bytes(content)
    index_stem_folder(folder)


def moises(folder: Path, content: bytes) -> None:
    (folder / "train" / "one").mkdir(parents=True)
    (folder / "train" / "one" / "data.json").write_bytes(content)
    index_moisesdb(folder, "train")


def corpus_note(folder: Path, content: bytes) -> None:
    (folder / "queries.corpus.json").write_bytes(content)
    find_tracks(folder / "queries.jsonl", [])


def about(folder: Path, content: bytes) -> None:
    (folder / "generated.json").write_bytes(content)
    open_generated(folder, "0" * 64)


def queries(folder: Path, content: bytes) -> None:
    (folder / "queries.jsonl").write_bytes(content)
    read_queries(folder / "queries.jsonl")


def bank(folder: Path, content: bytes) -> None:
    import numpy as np

    np.save(folder / "samples.npy", np.zeros(16, np.int16))
    np.save(folder / "levels.npy", np.zeros(1, np.float32))
    (folder / TRACKS).write_bytes(content)
    open_bank(folder, list, workers=0)


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("use", [groups, moises, corpus_note, about, queries, bank], ids=lambda use: use.__name__)
def test_a_damaged_file_is_one_error(use: Callable[[Path, bytes], None], content: str, tmp_path: Path) -> None:
    with pytest.raises(CocolaError) as raised:
        use(tmp_path, CONTENTS[content])
    assert str(tmp_path) in str(raised.value) and len(str(raised.value)) < 1000


def test_scores_of_a_table_that_are_damaged_are_made_again(tmp_path: Path) -> None:
    from cocola_metric.benchmarks.table3.scoring import read_rows

    row = {"id": "a", "key": "k", "score": 1.5, "windows": [1.0, None], "echo": 0.1, "noise": None}
    lines = [json.dumps(row).encode(), *CONTENTS.values()]
    lines += [json.dumps(row | change).encode() for change in ({"score": "9"}, {"windows": 5}, {"windows": ["x"]})]
    (tmp_path / "scores.jsonl").write_bytes(b"\n".join(line.replace(b"\n", b"") for line in lines))
    found = list(read_rows(tmp_path / "scores.jsonl"))
    assert found[0] == row
    assert {one["key"] for one in found[1:]} == {"damaged"}
