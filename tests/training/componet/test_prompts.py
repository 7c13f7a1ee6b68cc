"""Eq. 7 as the released checkpoints read it."""

import pytest

from cocola_metric.errors import UsageError
from cocola_metric.training.componet.prompts import prompt


@pytest.mark.parametrize(
    ("given", "wanted", "genre", "expected"),
    [
        (["other_1", "vocals_1"], ["drums_1"], None, "in: other_1, vocals_1; out: drums_1"),
        (["drums_1"], ["bass_1", "drums_1"], None, "in: drums_1; out: bass_1, drums_1"),
        (["guitar_2"], ["wind_1"], "Singer/Songwriter", "genre: singer/songwriter; in: guitar_2; out: wind_1"),
        (["piano_2", "piano_1"], ["bass_1"], None, "in: piano_2, piano_1; out: bass_1"),
        ([], ["bass_1"], None, "in: ; out: bass_1"),
    ],
)
def test_prompts(given, wanted, genre, expected) -> None:
    assert prompt(given, wanted, genre=genre) == expected


def test_something_has_to_be_wanted() -> None:
    with pytest.raises(UsageError, match="X is empty"):
        prompt(["bass_1"], [])


def test_a_genre_must_not_end_the_prompt_s_part() -> None:
    with pytest.raises(UsageError, match=r"a genre must not hold a semicolon.*; got 'rock; in: piano_1'"):
        prompt(["bass_1"], ["drums_1"], genre="rock; in: piano_1")
