"""Lists of pairs, as people, spreadsheets and programs write them."""

import json
import os
from pathlib import Path

import pytest

from cocola_metric.cli.manifests import cell, read_manifest, stems_of
from cocola_metric.cli.pairs import read_pairs
from cocola_metric.errors import UsageError

PAIR = (["mix.wav"], ["bass.wav"])


def pairs_of(file: Path, content: bytes | str) -> list[tuple[list[str], list[str]]]:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(left, right) for _, left, right, _ in read_manifest(file)]


@pytest.mark.parametrize(
    "content",
    [
        "conditioning,accompaniment\nmix.wav,bass.wav\n",
        "conditioning;accompaniment\nmix.wav;bass.wav\n",
        "conditioning\taccompaniment\nmix.wav\tbass.wav",
        "Conditioning , ACCOMPANIMENT\nmix.wav, bass.wav\n",
        "id,accompaniment,note,conditioning\n1,bass.wav,,mix.wav\n",
        '"conditioning";"accompaniment"\r\n"mix.wav";"bass.wav"\r\n',
        "sep=;\r\nconditioning;accompaniment\r\nmix.wav;bass.wav\r\n",
        "conditioning,accompaniment\n\nmix.wav,bass.wav\n,\n",
        "\ufeffconditioning,accompaniment\nmix.wav,bass.wav\n",
        "conditioning,accompaniment\nmix.wav,bass.wav\n".encode("utf-16"),
        "conditioning\taccompaniment\r\nmix.wav\tbass.wav\r\n".encode("utf-16"),
    ],
)
def test_every_form_of_csv(tmp_path: Path, content: bytes | str):
    for name in ("a.csv", "a.CSV", "a.tsv"):
        assert pairs_of(tmp_path / name, content) == [PAIR]


@pytest.mark.parametrize(
    "content",
    [
        '{"conditioning": "mix.wav", "accompaniment": "bass.wav"}\n',
        '\ufeff{"Conditioning": ["mix.wav"], "accompaniment": "bass.wav", "more": 1}\r\n\r\n',
    ],
)
def test_every_form_of_jsonl(tmp_path: Path, content: str):
    assert pairs_of(tmp_path / "a.jsonl", content) == [PAIR]


@pytest.mark.parametrize(
    "stems", [["a.wav"], ["a.wav", "b.wav"], ["a;1.wav"], ["[live].wav"], ["a;1.wav", "é.wav"], ["a,b.wav"]]
)
def test_a_cell_names_the_stems_that_it_was_written_for(stems: list[str]):
    assert stems_of(cell(stems)) == stems


def test_semicolons_part_stems_in_a_csv_of_semicolons_too(tmp_path: Path):
    content = 'conditioning;accompaniment\n"drums.wav;bass.wav";keys.wav\n'
    assert pairs_of(tmp_path / "a.csv", content) == [(["drums.wav", "bass.wav"], ["keys.wav"])]


def test_a_name_with_a_semicolon_can_be_written(tmp_path: Path):
    content = 'conditioning,accompaniment\n"[""a;1.wav"", ""b.wav""]",keys.wav\n'
    assert pairs_of(tmp_path / "a.csv", content) == [(["a;1.wav", "b.wav"], ["keys.wav"])]
    (tmp_path / "b.jsonl").write_text('{"conditioning": ["a;1.wav"], "accompaniment": "keys.wav"}\n')
    assert read_pairs(tmp_path / "b.jsonl")[0].conditioning == tmp_path / "a;1.wav"


@pytest.mark.parametrize("name", ["a;1.wav", '["a.wav"]', " a.wav", "=a.wav"])
def test_a_text_in_jsonl_is_one_name_whatever_it_holds(tmp_path: Path, name: str):
    content = json.dumps({"conditioning": name, "accompaniment": ["b.wav", name]}) + "\n"
    assert pairs_of(tmp_path / "a.jsonl", content) == [([name], ["b.wav", name])]
    [pair] = read_pairs(tmp_path / "a.jsonl")
    assert pair.conditioning == tmp_path / name
    assert stems_of(pair.conditioning_text) == [name]


def test_a_name_that_is_no_text_stays_what_it_is(tmp_path: Path):
    [(left, _)] = pairs_of(tmp_path / "a.csv", b"conditioning,accompaniment\ncaf\xe9.wav,bass.wav\n")
    assert os.fsencode(left[0]) == b"caf\xe9.wav"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "a,b\n1,2\n", "no column 'conditioning'; columns are 'a', 'b'"),
        ("a.csv", "conditioning,target\n1,2\n", "no column 'accompaniment'; columns are 'conditioning', 'target'"),
        ("a.csv", "conditioning,accompaniment,Conditioning\n1,2,3\n", "more than one column 'conditioning'"),
        (
            "a.csv",
            "mix.wav,bass.wav\nmix.wav,keys.wav\n",
            "no column 'conditioning'; columns are 'mix.wav', 'bass.wav'",
        ),
        ("a.csv", "conditioning,accompaniment\na, live.wav,bass.wav\n", "line 2: 3 cells for 2 columns; quote a name"),
        ("a.csv", "conditioning,accompaniment\nmix.wav,\n", "line 2: no path in 'accompaniment'"),
        ("a.csv", "conditioning,accompaniment\nmix.wav\n", "line 2: no path in 'accompaniment'"),
        ("a.csv", "conditioning,accompaniment\nmix.wav;,bass.wav\n", "line 2: no path in 'conditioning'"),
        ("a.csv", 'conditioning,accompaniment\n"mix.wav,bass.wav\n', "not CSV"),
        ("a.csv", b"conditioning,accompaniment\n" + b"a" * 200_000 + b",b\n", "not CSV"),
        ("a.csv", "conditioning,accompaniment\n", "holds no pairs"),
        ("a.csv", "", "no column 'conditioning'; columns are missing"),
        ("a.csv", b"\xff\xfe\x00", "is not text"),
        ("a.csv", bytes(range(256)) * 8, "no column 'conditioning'|not CSV"),
        ("a.jsonl", "", "holds no pairs"),
        ("a.jsonl", "[1, 2]\n", "line 1: must be an object with conditioning and accompaniment; got a list"),
        ("a.jsonl", "{}\n", "line 1: no path in 'conditioning'"),
        ("a.jsonl", '{"conditioning": [1], "accompaniment": "a"}\n', "line 1: no path in 'conditioning'"),
        ("a.jsonl", "\n{\n", "line 2: not JSON"),
        ("a.jsonl", "[" * 100_000, "line 1: not JSON"),
        ("a.xlsx", b"PK\3\4", "must name a file that ends in .csv, .tsv or .jsonl"),
    ],
)
def test_what_is_no_manifest_is_named(tmp_path: Path, name: str, content: bytes | str, message: str):
    with pytest.raises(UsageError, match=message):
        pairs_of(tmp_path / name, content)


@pytest.mark.parametrize("name", ["folder.csv", "none.csv", "n" * 300 + ".csv", "nul\0.csv"])
def test_a_manifest_that_cannot_be_read_is_named(tmp_path: Path, name: str):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match=r"cannot be read|no such file"):
        read_manifest(tmp_path / name)
