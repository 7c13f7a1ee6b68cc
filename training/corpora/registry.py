"""The corpora that training can read: one index function each, and a mix of several."""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cocola_metric.errors import UsageError

from .cocochorales import index_cocochorales
from .ensembleset import index_ensembleset
from .moisesdb import index_moisesdb
from .musdb18hq import index_musdb18hq
from .separated import index_separated
from .slakh2100 import index_slakh2100
from .splits import is_divided, split_folder
from .stem_folders import GROUPS_FILE, index_rendered, index_stem_folder
from .tracks import Stem, Track

__all__ = ["CORPORA", "GROUPS_FILE", "Stem", "Track", "corpora_with", "index_stem_folder", "open_corpora", "reader_of"]

CORPORA: dict[str, Callable[..., list[Track]]] = {
    "moisesdb": index_moisesdb,
    "moisesdb_types": partial(index_moisesdb, stems="type"),
    "slakh2100": index_slakh2100,
    "cocochorales": index_cocochorales,
    "cocochorales_random": partial(index_cocochorales, ensembles=("random",)),
    "musdb18hq": index_musdb18hq,
    "ensembleset": index_ensembleset,
    "separated": index_separated,
    "stem_folder": index_stem_folder,
    "rendered": index_rendered,
}
"""Index functions by the name of their corpus; index(root, split) returns the tracks in a fixed order.

Their keyword arguments are options of a corpus: "slakh2100,deduplicate=false:/data/slakh2100"."""


def open_corpora(specs: Sequence[str], split: str) -> list[Track]:
    """List the tracks of a split of several corpora, one corpus after the other.

    Args:
        specs: corpora, each as "moisesdb:/data/moisesdb" with a name of `CORPORA` (and options of its index function,
            "cocochorales,tracks=4000:/data/cocochorales"), or as a folder that is read as ``stem_folder``.
        split: name of the split: train, validation or test.

    Raises:
        AudioError: a corpus has no usable track.
        UsageError: there are no specs, or a corpus, one of its options or the split is unknown.
    """
    if not specs:
        raise UsageError(f"no corpora given; pass folders, or name:folder with a name of {', '.join(CORPORA)}")
    return [track for spec in specs for track in _open_corpus(spec, split)]


def reader_of(spec: str) -> str:
    """Return the name of `CORPORA` that a corpus is read by; "" for a folder without one.

    >>> reader_of("slakh2100,deduplicate=false:/data/slakh2100"), reader_of("corpora/bands")
    ('slakh2100', '')
    """
    head, colon, folder = spec.partition(":")
    name = head.partition(",")[0]
    return name if colon and folder and name in CORPORA else ""


def corpora_with(specs: Sequence[str], split: str) -> list[str]:
    """Return the corpora that have a split: for validation, all but folders that are divided and have none.

    Such a folder is only trained on. If all are like that, all are returned, and opening them says what is missing.
    """
    chosen = [spec for spec in specs if split != "validation" or not _is_for_training_only(spec)]
    return chosen or list(specs)


def _is_for_training_only(spec: str) -> bool:
    name = reader_of(spec)
    folder = Path(spec.partition(":")[2] if name else spec).expanduser()
    return name in ("", "stem_folder") and is_divided(folder) and split_folder(folder, "validation") is None


def _open_corpus(spec: str, split: str) -> list[Track]:
    head, colon, folder = spec.partition(":")
    name, *texts = head.split(",")
    if reader_of(spec):
        return CORPORA[name](Path(folder).expanduser(), split, **_read_options(name, texts))
    if not Path(spec).expanduser().exists() and (colon or name in CORPORA):
        raise UsageError(f"a corpus must be a folder, or name:folder with a name of {', '.join(CORPORA)}; got {spec!r}")
    return index_stem_folder(Path(spec).expanduser(), split)


def _read_options(name: str, texts: Sequence[str]) -> dict[str, Any]:
    """Read options of an index function, each of the type of its default."""
    parameters = inspect.signature(CORPORA[name]).parameters.values()
    defaults = {entry.name: entry.default for entry in parameters if entry.kind == entry.KEYWORD_ONLY}
    options = {}
    for text in texts:
        option, _, value = text.partition("=")
        try:
            options[option] = _as_kind(defaults[option], value)
        except (KeyError, ValueError):
            known = ", ".join(f"{key}={_as_text(default)}" for key, default in defaults.items()) or "no options"
            raise UsageError(f"corpus {name!r} takes {known}; got {text!r}") from None
    return options


def _as_kind(default: object, value: str) -> object:
    """Read a value as one of the default's type; several names are joined by +."""
    if isinstance(default, bool):
        return {"true": True, "false": False}[value]
    if isinstance(default, int):
        return int(value)
    return value if isinstance(default, str) else tuple(value.split("+"))


def _as_text(default: object) -> str:
    if isinstance(default, tuple):
        return "+".join(default)
    return str(default).lower() if isinstance(default, bool) else str(default)
