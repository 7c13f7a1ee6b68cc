"""Eq. 7: the prompt, which names the stems that CompoNet is given and those that it is to make."""

from collections.abc import Sequence

from cocola_metric.errors import UsageError


def prompt(given: Sequence[str], wanted: Sequence[str], *, genre: str | None = None) -> str:
    """Return Eq. 7 in the form of the released checkpoints: every tag in the given order, with "; out:" for SEP.

    Args:
        given: tags of the stems in the input mix, Y, from `stem_tags`; never empty in the training of the released
            checkpoints.
        wanted: tags of the stems to be made, X.
        genre: genre of the song, for MoisesDB.

    >>> prompt(["other_1", "vocals_1"], ["drums_1"])
    'in: other_1, vocals_1; out: drums_1'
    >>> prompt(["bass_1"], ["wind_1"], genre="Rock")
    'genre: rock; in: bass_1; out: wind_1'

    Raises:
        UsageError: ``wanted`` is empty.
    """
    if genre and ";" in genre:
        raise UsageError(f"a genre must not hold a semicolon, which separates the parts of a prompt; got {genre!r}")
    if not wanted:
        raise UsageError("X is empty; ask for one stem or more")
    tags = f"in: {', '.join(given)}; out: {', '.join(wanted)}"
    return f"genre: {genre.lower()}; {tags}" if genre else tags
