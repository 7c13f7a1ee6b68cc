"""CocoChorales: synthesised four-part chorales for string, brass, woodwind and random ensembles."""

from collections.abc import Collection
from pathlib import Path

from cocola_metric.audio import is_mixture, list_audio

from .splits import ALL_FOLDERS, find_home, split_folder
from .tracks import Stem, Track, keep_usable

ENSEMBLES = ("string", "brass", "woodwind", "random")


def index_cocochorales(root: Path, split: str, *, ensembles: Collection[str] = ENSEMBLES) -> list[Track]:
    """Index ``main_dataset/<train|valid|test>/<ensemble>_track<number>/stems_audio/<voice>_<instrument>.wav``.

    The tiny and the full version have the same layout: tiny is 12 + 4 + 4 of the full version's archives of 2000 tracks
    (``data_format.md`` and ``data_download/`` of its generator). ``mix.wav`` lies in the folder above the stems. The
    root may be ``main_dataset`` or the folder that holds it. A stem that is shorter than the others is silent after its
    end (`tracks.keep_usable`).

    Args:
        root: folder of the data set.
        split: name of the split: train, validation or test.
        ensembles: names of the ensembles to read; COCOLA All was trained on "random" alone (section 5).

    Raises:
        AudioError: no track can be used.
    """
    home = find_home(root, *(f"{name}/*_track*" for name in ALL_FOLDERS))
    folder = split_folder(home, split)
    tracks = [_read_track(track) for track in sorted(folder.glob("*_track*/"))] if folder else []
    return keep_usable([track for track in tracks if _ensemble(track) in ensembles], f"{root} (cocochorales, {split})")


def _read_track(folder: Path) -> Track:
    stems = folder / "stems_audio"
    files = [file for file in (list_audio(stems) if stems.is_dir() else []) if not is_mixture(file)]
    return Track(folder.name, tuple(Stem(file.stem, (file,), file.stem.partition("_")[2]) for file in files))


def _ensemble(track: Track) -> str:
    return track.name.partition("_track")[0]
