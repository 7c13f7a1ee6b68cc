"""Songs that a separation program has taken apart: the output folders of demucs, Spleeter and open-unmix."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from cocola_metric.audio import list_audio
from cocola_metric.errors import AudioError, UsageError

from .splits import ALL_FOLDERS, check_split, draw_groups, existing_split, group_by, is_divided
from .tracks import Stem, Track, keep_usable

logger = logging.getLogger(__name__)

PARTS = ("vocals", "drums", "bass", "guitar", "piano", "other")
"""Stems that the programs' models give; guitar and piano from ``htdemucs_6s``, piano from ``spleeter:5stems``."""
RESTS = {"accompaniment": "vocals", **{f"no_{part}": part for part in PARTS}}
"""Sums of all but one part: Spleeter's two stems, and ``--two-stems`` of demucs."""
KEYS = ("track", "artist")
ARTIST = " - "
_UNMIX = re.compile(r"_(umx(?:hq|l|se)?)$")  # open-unmix without --outdir writes into <song>_<model>
_PIECE = re.compile(r"[\W_]*(?:part|pt|seg|segment|chunk|excerpt)[\W_]*\d+$", re.IGNORECASE)


def index_separated(root: Path, split: str, *, model: str = "", by: str = "track") -> list[Track]:
    """Index what a separation program wrote, ``[<model>/]<song>/<stem>.<wav|flac|mp3|ogg>``.

    ``separated/htdemucs/<song>/{bass,drums,other,vocals}.wav`` of demucs, or ``{vocals,no_vocals}`` with
    ``--two-stems``; ``<song>/{vocals,accompaniment}.wav`` and more of Spleeter; ``<song>/{vocals,drums,...}.wav`` of
    open-unmix with ``--outdir``, ``<song>_umxl/`` without (``demucs/separate.py``, ``spleeter/options.py`` and
    ``openunmix/cli.py`` in the programs' repositories). The root is the folder that was given to the program, or that
    of one model.

    Two parts or more are the stems; a sum of parts beside them (``no_vocals``, ``accompaniment``) is left out, because
    it holds them once more. Files of other names are left out with a message, since one may be the mixture.

    Songs are split by folders ``train``, ``validation`` and ``test`` above the rest, or else drawn, 0.8/0.1/0.1.
    Excerpts of one recording (``song_part2``) stay together, and with ``by="artist"`` all songs of an artist do.

    Args:
        root: folder of the separated songs.
        split: name of the split: train, validation or test.
        model: model whose stems are read, where a song was separated by several; "" if there is one.
        by: name of what no two splits share: "track", or "artist", the text before " - " in the names of the songs.

    Raises:
        AudioError: no track can be used.
        UsageError: a song was separated by several models, or no name has an artist.
    """
    check_split(split)
    if by not in KEYS:
        raise UsageError(f"by must be one of {', '.join(KEYS)}; got {by!r}")
    if not root.is_dir():
        raise AudioError(f"{root}: no such folder; give the output folder of demucs, Spleeter or open-unmix")
    divided = is_divided(root)
    folders = _choose_model(root, _find_songs(existing_split(root, split) if divided else root), model)
    songs = {folder: _song(folder) for folder in folders}
    if not divided:
        drawn = draw_groups(_groups(root, list(songs.values()), by), split)
        songs = {folder: song for folder, song in songs.items() if song in drawn}
        if not songs:
            raise AudioError(
                f"{root}: {len(folders)} songs leave none for {split}; separate more, or put them into train/, "
                "validation/, test/"
            )
    tracks = [Track(song, _read_stems(folder)) for folder, song in songs.items()]
    return keep_usable(tracks, f"{root} (separated, {split})")


def _find_songs(root: Path) -> list[Path]:
    """Return the folders with separated stems, in the root or one level below.

    Raises:
        AudioError: there are none.
    """
    found = [
        folder
        for depth in ("*/", "*/*/")
        for folder in sorted(root.glob(depth))
        if not folder.name.startswith(".") and any(file.stem in (*PARTS, *RESTS) for file in list_audio(folder))
    ]
    if not found:
        raise AudioError(
            f"{root}: no <song>/<stem> or <model>/<song>/<stem> in it, with stems such as {', '.join(PARTS[:3])} and "
            f"no_vocals; for stems of other names give the folder without 'separated'"
        )
    return found


def _choose_model(root: Path, folders: Sequence[Path], model: str) -> list[Path]:
    """Return the folders of one model.

    Raises:
        UsageError: there is no such model, or there are songs of several models and none was chosen.
    """
    models = {folder: _model(root, folder) for folder in folders}
    known = sorted(set(models.values()) - {""})
    if model:
        if model not in known:
            raise UsageError(f"{root}: no model {model!r}; there are {', '.join(known) or 'none: leave it out'}")
        return [folder for folder in folders if models[folder] == model]
    twice = [song for song, count in Counter(map(_song, folders)).items() if count > 1]
    if twice:
        raise UsageError(
            f"{root}: {twice[0]!r} and {len(twice) - 1} more songs were separated several times ({', '.join(known)}), "
            f"and a song must not be its own negative; choose one, as separated,model={known[0]}:"
        )
    return list(folders)


def _model(root: Path, folder: Path) -> str:
    unmix = _UNMIX.search(folder.name)
    if unmix:
        return unmix[1]
    above = folder.parent
    return "" if above == root or above.name in ALL_FOLDERS else above.name


def _song(folder: Path) -> str:
    return _UNMIX.sub("", folder.name)


def _groups(root: Path, songs: Sequence[str], by: str) -> dict[str, str]:
    """Return the group of each song; no group is in two splits.

    Raises:
        UsageError: no name has an artist.
    """
    if by == "track":
        return group_by(songs, lambda song: _PIECE.sub("", song))
    if not any(ARTIST in song for song in songs):
        raise UsageError(f"{root}: by=artist needs names such as 'Artist - Title'; got {songs[0]!r} and others")
    return {song: _PIECE.sub("", song).split(ARTIST)[0].strip().casefold() for song in songs}


def _read_stems(folder: Path) -> tuple[Stem, ...]:
    """Return the parts, or the one part and the sum of all others."""
    files = defaultdict(list)
    for file in list_audio(folder):
        files[file.stem].append(file)
    strange = sorted(set(files) - {*PARTS, *RESTS})
    if strange:
        logger.warning("%s: left out, as no separation program calls a stem so: %s", folder, ", ".join(strange))
    names = [part for part in PARTS if part in files]
    rests = [rest for rest in RESTS if rest in files]
    if len(names) == 1:
        names += [rest for rest in rests if RESTS[rest] == names[0]][:1]
    elif rests:
        logger.info("%s: left out, as sums of other stems: %s", folder, ", ".join(rests))
    for name in names:
        if len(files[name]) > 1:
            raise AudioError(
                f"{folder}: {' and '.join(file.name for file in files[name])} are the same stem; remove one"
            )
    return tuple(Stem(name, (files[name][0],), name) for name in names)
