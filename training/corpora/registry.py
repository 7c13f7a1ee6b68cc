"""The corpora that training can read: one index function each, and a mix of several."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from cocola_metric.errors import UsageError

from .cocochorales import index_cocochorales
from .moisesdb import index_moisesdb
from .musdb18hq import index_musdb18hq
from .slakh2100 import index_slakh2100
from .stem_folders import GROUPS_FILE, index_rendered, index_stem_folder
from .tracks import Stem, Track

__all__ = ["CORPORA", "GROUPS_FILE", "Stem", "Track", "index_stem_folder", "open_corpora"]

CORPORA: dict[str, Callable[[Path, str], list[Track]]] = {
    "moisesdb": index_moisesdb,
    "moisesdb_types": partial(index_moisesdb, by_type=True),
    "slakh2100": index_slakh2100,
    "cocochorales": index_cocochorales,
    "cocochorales_random": partial(index_cocochorales, ensembles=("random",)),
    "musdb18hq": index_musdb18hq,
    "stem_folder": index_stem_folder,
    "rendered": index_rendered,
}
"""Index functions by the name of their corpus; index(root, split) returns the tracks in a fixed order."""


def open_corpora(specs: Sequence[str], split: str) -> list[Track]:
    """List the tracks of a split of several corpora, one corpus after the other.

    Args:
        specs: corpora, each as "moisesdb:/data/moisesdb" with a name of `CORPORA`, or as a folder that is read as
            ``stem_folder``.
        split: name of the split: train, validation or test.

    Raises:
        AudioError: a corpus has no usable track.
        UsageError: there are no specs, or a corpus or the split is unknown.
    """
    if not specs:
        raise UsageError(f"no corpora given; pass folders, or name:folder with a name of {', '.join(CORPORA)}")
    return [track for spec in specs for track in _open_corpus(spec, split)]


def _open_corpus(spec: str, split: str) -> list[Track]:
    name, colon, folder = spec.partition(":")
    if colon and folder and name in CORPORA:
        return CORPORA[name](Path(folder).expanduser(), split)
    if not Path(spec).expanduser().exists() and (colon or name in CORPORA):
        raise UsageError(f"a corpus must be a folder, or name:folder with a name of {', '.join(CORPORA)}; got {spec!r}")
    return index_stem_folder(Path(spec).expanduser(), split)
