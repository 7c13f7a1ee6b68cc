"""One word for a kind of stem, one number for each of a kind."""

import unicodedata

import pytest

from cocola_metric.errors import UsageError
from cocola_metric.training.corpora.names import canonical_name, instrument_of, stem_tags, tag_word
from cocola_metric.training.corpora.tracks import Stem


def test_names_are_one_word_in_one_form() -> None:
    assert canonical_name(unicodedata.normalize("NFD", "Gärten")) == "Gärten"
    assert [tag_word(name) for name in ("Bowed Strings", "kick-drum", " ", "E-Piano (2)")] == [
        *("bowed_strings", "kick_drum", "stem", "e_piano_2"),
    ]
    assert instrument_of(Stem("S01", (), "Electric Piano")) == "electric_piano"
    assert instrument_of(Stem("Electric Piano", ())) == "electric_piano"


def test_stems_of_a_kind_are_numbered_and_drums_are_one() -> None:
    kinds = ("bass", "drums", "guitar", "guitar", "drums", "guitar")
    assert stem_tags(kinds) == ("bass_1", "drums_1", "guitar_1", "guitar_2", "drums_1", "guitar_3")


@pytest.mark.parametrize("kind", ["", " ", "a, b", "a; out: b"])
def test_kinds_that_would_break_the_prompt(kind: str) -> None:
    with pytest.raises(UsageError, match="a kind of stem must be a word"):
        stem_tags([kind])
