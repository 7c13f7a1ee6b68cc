"""The names of tracks and stems: one Unicode form, one word for a kind of stem, numbered tags."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from cocola_metric.errors import UsageError

from .tracks import Stem

MERGED = "drums"
"""Kind whose stems are one stem, such as several drum kits of a song; the released code of CompoNet does so."""


def canonical_name(name: str) -> str:
    """Return the name of a file in the Unicode form NFC; some systems store another form."""
    return unicodedata.normalize("NFC", name)


def tag_word(name: str) -> str:
    """Return a name as a tag: lower case, with an underscore for every run of other characters.

    >>> tag_word("Chromatic Percussion")
    'chromatic_percussion'
    """
    return re.sub(r"\W+", "_", canonical_name(name).lower()).strip("_") or "stem"


def instrument_of(stem: Stem) -> str:
    """Return the kind of a stem as a tag: the data set's word for its instrument, or else the stem's own name.

    >>> instrument_of(Stem("S03", (), "Chromatic Percussion"))
    'chromatic_percussion'
    """
    return tag_word(stem.instrument or stem.name)


def stem_tags(kinds: Sequence[str]) -> tuple[str, ...]:
    """Number the stems of a track by kind, as the released code of CompoNet does: all drums are one stem.

    >>> stem_tags(["guitar", "drums", "Guitar", "drums"])
    ('guitar_1', 'drums_1', 'guitar_2', 'drums_1')

    Raises:
        UsageError: a kind is empty, or holds a separator of the prompt (Eq. 7).
    """
    counts: Counter[str] = Counter()
    tags = []
    for kind in (kind.strip().lower() for kind in kinds):
        if not kind or "," in kind or ";" in kind:
            raise UsageError(f"a kind of stem must be a word without comma or semicolon; got {kind!r}")
        counts[kind] += 1
        tags.append(f"{kind}_{1 if kind == MERGED else counts[kind]}")
    return tuple(tags)
