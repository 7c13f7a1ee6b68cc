"""Names from outside: none leads elsewhere, steers a terminal, becomes a formula or breaks a table."""

import doctest
import json

import pytest

from cocola_metric import json_files, names
from cocola_metric.errors import UsageError
from cocola_metric.names import csv_text, is_plain, markdown_cell, markdown_text, path_part, printable


@pytest.mark.parametrize("module", [names, json_files])
def test_examples(module) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", ["bass", "drum kit 2", "Größe", "a.b", "0001_ab12cd34", "x" * 200, "été 2"])
def test_names_that_can_be_files(name: str) -> None:
    assert path_part(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            " ",
            ".",
            "..",
            "../x",
            "a/b",
            "a\\b",
            "/etc/passwd",
            "C:x",
            "~/x/",
            ".hidden",
            "end.",
            " lead",
            "trail ",
        ),
        *(
            "a\nb",
            "a\0b",
            "\x1b[31m",
            "\u202egpj.exe",
            "\ud800",
            "a*b",
            "a?b",
            'a"b',
            "<a>",
            "a|b",
            "x" * 201,
            "é" * 101,
        ),
        *("CON", "nul", "aux.wav", "COM1", "lpt9.txt", None, 5, ["a"]),
    ],
)
def test_names_that_cannot(name: object) -> None:
    with pytest.raises(UsageError, match=r"^tag .* cannot be the name of a file: .*; rename it$") as raised:
        path_part(name, "tag")  # type: ignore[arg-type]
    assert str(raised.value).isprintable() and len(str(raised.value)) < 700


@pytest.mark.parametrize("text", ["\x1b]0;x\x07", "a\rb", "\u202e", "\u2028", "\ud800", "\x9b31m", "\u200b"])
def test_nothing_steers_a_terminal(text: str) -> None:
    assert printable(text).isprintable()
    assert not is_plain(text)
    assert csv_text(text).isprintable()
    assert markdown_text(text).isprintable()


def test_nothing_is_a_formula() -> None:
    for sign in "=+-@":
        assert csv_text(f"{sign}cmd|' /C calc'!A0").startswith("'")
        assert not is_plain(f"{sign}x")
    assert csv_text("\t=1+1").startswith("\\t")


@pytest.mark.parametrize("text", ["a|b", "a\nb", "<script>alert(1)</script>", "||", "\r\n| x |", "<!--"])
def test_nothing_breaks_a_table(text: str) -> None:
    shown = markdown_cell(text)
    assert "\n" not in shown and "\r" not in shown and "<" not in shown
    assert shown.count("|") == shown.count("\\|")


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', "1e999", "[" * 100_000, "9" * 5000, "", "{"])
def test_json_that_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        json_files.parsed_json(text)


def test_json_has_no_nan() -> None:
    value = {"a": [float("nan"), {"b": (float("inf"), -float("inf"), 1.5)}], "c": "NaN", "d": 10**400}
    assert json.loads(json_files.json_text(value), parse_constant=pytest.fail) == {
        "a": [None, {"b": [None, None, 1.5]}],
        "c": "NaN",
        "d": 10**400,
    }
