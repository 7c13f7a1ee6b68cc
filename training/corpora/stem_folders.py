"""Any folder of tracks with one file a stem, and the corpora that rendering writes."""

from pathlib import Path

from cocola_metric.audio import is_mixture, list_audio
from cocola_metric.errors import AudioError, UsageError
from cocola_metric.json_files import read_json

from .splits import FOLDERS, draw_split, existing_split, is_divided, split_folder
from .tracks import Stem, Track, keep_usable

GROUPS_FILE = "GROUPS.json"


def index_stem_folder(root: Path, split: str | None = None) -> list[Track]:
    """Index ``<root>/<track>/<stem>.<ext>``, sorted by name; tracks of fewer than two stems are left out.

    A mixture beside the stems (``mix``, ``mixture``, ``mixdown``, ``master``) is left out.

    A ``GROUPS.json`` beside the tracks, {track: {file: stem name}}, gathers files into coarser stems. With a split,
    tracks are read from its folder, ``<root>/<split>/<track>/<stem>.<ext>``; where the root has no such folders, the
    splits are drawn, 0.8/0.1/0.1.

    Raises:
        AudioError: the folder is missing or holds no track of two stems.
    """
    if not root.is_dir():
        raise AudioError(f"{root}: no such folder; give the folder that holds one folder per track")
    if split is not None and is_divided(root):
        return index_stem_folder(existing_split(root, split))
    groups_file = root / GROUPS_FILE
    groups = _read_groups(groups_file) if groups_file.exists() else {}
    tracks = [
        Track(folder.name, _gather(folder, groups.get(folder.name, {})))
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
    ]
    tracks = [track for track in tracks if len(track.stems) >= 2]
    if not tracks:
        raise AudioError(
            f"{root}: no track with two stems; put the files at <track>/<stem>.<wav|flac|ogg|mp3|aiff>; "
            "the output folder of a separation program is given as separated:FOLDER"
        )
    if split is not None:
        chosen = draw_split((track.name for track in tracks), split)
        count = len(tracks)
        tracks = [track for track in tracks if track.name in chosen]
        if not tracks:
            raise AudioError(f"{root}: {count} tracks leave none for {split}; put them into {'/, '.join(FOLDERS)}/")
    return keep_usable(tracks, str(root))


def _read_groups(file: Path) -> dict[str, dict[str, str]]:
    """Read the stem of each file of each track.

    Raises:
        UsageError: the file is damaged, or not of this form.
    """
    groups: dict[str, dict[str, str]] = read_json(file, most_bytes=2**26, remedy="mend or delete it")
    for track, files in groups.items():
        if not isinstance(files, dict) or not all(isinstance(stem, str) for stem in files.values()):
            raise UsageError(f"{file}: {track!a} must be an object of file names and stem names; correct it")
    return groups


def index_rendered(root: Path, split: str) -> list[Track]:
    """Index ``<root>/<corpus>/<split>/<recipe>__<work>__<NN>/<stem>.flac``; the root may also be one of the corpora.

    Raises:
        AudioError: there is no such corpus.
    """
    if not root.is_dir():
        raise AudioError(f"{root}: no such folder; give the folder that the command render wrote")
    if is_divided(root):
        return index_stem_folder(root, split)
    corpora = [folder for folder in sorted(root.iterdir()) if folder.is_dir() and split_folder(folder, split)]
    if not corpora:
        raise AudioError(
            f"{root}: no rendered corpus, which has <corpus>/{split}/<track>/<stem>.flac; render one first"
        )
    return [
        Track(f"{corpus.name}/{track.name}", track.stems)
        for corpus in corpora
        for track in index_stem_folder(corpus, split)
    ]


def _gather(folder: Path, groups: dict[str, str]) -> tuple[Stem, ...]:
    files: dict[str, list[Path]] = {}
    for file in list_audio(folder):
        if file.name not in groups and is_mixture(file):
            continue
        members = files.setdefault(groups.get(file.name, file.stem), [])
        if members and file.name not in groups:
            raise AudioError(
                f"{folder}: {members[0].name} and {file.name} are the same stem; remove one, or, if they are to be "
                f"summed, name both in {GROUPS_FILE}"
            )
        members.append(file)
    return tuple(Stem(name, tuple(members)) for name, members in files.items())
