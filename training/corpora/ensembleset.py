"""EnsembleSet: 80 pieces of chamber music, synthesised with the samples of one orchestra, in 20 microphone mixes."""

import logging
import re
from pathlib import Path

from cocola_metric.audio import is_mixture, list_audio
from cocola_metric.errors import AudioError, UsageError

from .splits import ALL_FOLDERS, FOLDERS, check_split, draw_groups, group_by
from .tracks import Stem, Track, keep_usable

logger = logging.getLogger(__name__)

MIXES = (
    *("Amb", "AtmosF", "AtmosR", "Balcony", "Close", "CloseW", "Leader", "Mids", "Mix_1", "Mix_2", "Mono", "Out"),
    *("Sides", "SpBr", "SpFl", "SpPer", "SpStr", "SpWW", "Stereo", "Tree"),
)
"""Folders of each piece, one a microphone or mix of microphones; "Sp" are those of other sections, heard from afar."""
DEPTHS = ("*/*/", "*/*/*/", "*/*/*/*/")  # the archive unpacks into one or two folders of its own
_NUMBER = re.compile(r"[\W_]*\d+$")
_MOVEMENT = re.compile(r"[\W_]*(?:mvt|mov|movement)?[\W_]*(?:\d+|(?<![A-Za-z])[IVX]+)$", re.IGNORECASE)


def index_ensembleset(root: Path, split: str, *, mix: str = "Mix_1") -> list[Track]:
    """Index ``BBCSO_Ensembles/<piece>/<mix>/<instrument>.flac`` (``Cello.flac``, ``Violin_1.flac``), one stem a part.

    Sarkar, Benetos and Sandler, "EnsembleSet: a new high-quality synthesised dataset for chamber ensemble separation",
    ISMIR 2022; Zenodo 6519024, CC BY-NC-SA 4.0. The layout is the one that three public programs read: the authors' own
    (``saurjya/EnsembleSep``, ``asteroid/data/bbcso_dataset.py``, which lists the 20 mixes), the baseline of SynthSOD
    (``repertorium/SynthSOD-Baseline``, ``datasets.py``) and a downloader of single pieces. The archive, of 58 GB, was
    never at hand here. Each stem was rendered alone, so no mix has bleed; the mixes differ in room and distance. All
    stems of a track come from one mix.

    EnsembleSet has no splits: its authors trained on all pieces and tested on other data. They are drawn with a fixed
    seed, 0.8/0.1/0.1, unless pieces already lie in ``train``, ``valid`` and ``test``. Pieces whose names differ in a
    final number alone stay together, since they may be movements of one work.

    Args:
        root: folder of the data set, with or without the folders that its archive unpacks into.
        split: name of the split: train, validation or test.
        mix: name of the microphone or mix, of ``MIXES``; the default is the first of the two full mixes.

    Raises:
        AudioError: no track can be used.
        UsageError: there is no such mix.
    """
    check_split(split)
    if mix not in MIXES:
        raise UsageError(f"mix of EnsembleSet must be one of {', '.join(MIXES)}; got {mix!r}")
    pieces = _find_pieces(root)
    if any(piece.parent.name in ALL_FOLDERS for piece in pieces):
        chosen = [piece for piece in pieces if piece.parent.name in FOLDERS[split]]
    else:
        drawn = draw_groups(group_by([piece.name for piece in pieces], lambda name: _MOVEMENT.sub("", name)), split)
        chosen = [piece for piece in pieces if piece.name in drawn]
    present = [piece for piece in chosen if (piece / mix).is_dir()]
    if chosen and not present:
        found = sorted({folder.name for piece in chosen for folder in piece.iterdir() if folder.name in MIXES})
        raise AudioError(
            f"{root} (ensembleset, {split}): no piece has the mix {mix}; unpack it, or give one that is there, as "
            f"ensembleset,mix={found[0]}: ({', '.join(found)})"
        )
    for piece in sorted(set(chosen) - set(present)):
        logger.warning("%s has no mix %s; left out", piece, mix)
    return keep_usable([_read_piece(piece, mix) for piece in present], f"{root} (ensembleset, {split})")


def _find_pieces(root: Path) -> list[Path]:
    """Return the folders that hold a mix, at the least depth at which there are some.

    Raises:
        AudioError: there are none.
    """
    if not root.is_dir():
        raise AudioError(f"{root}: no such folder; give the folder that the data set was unpacked into")
    for depth in DEPTHS:
        pieces = {folder.parent for folder in root.glob(depth) if folder.name in MIXES}
        if pieces:
            return sorted(pieces)
    raise AudioError(
        f"{root}: no folder <piece>/<mix> in it, with a mix such as Mix_1 or Close; give the folder that "
        "BBCSO_Ensembles.zip was unpacked into"
    )


def _read_piece(piece: Path, mix: str) -> Track:
    files = [file for file in list_audio(piece / mix) if not is_mixture(file)]
    return Track(piece.name, tuple(Stem(file.stem, (file,), _NUMBER.sub("", file.stem)) for file in files))
