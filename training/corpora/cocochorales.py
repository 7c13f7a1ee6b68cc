"""CocoChorales: synthesised four-part chorales for string, brass, woodwind and random ensembles."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path

from cocola_metric.audio import is_mixture, list_audio
from cocola_metric.errors import UsageError

from .splits import ALL_FOLDERS, FOLDERS, find_home, in_hashed_order, split_folder
from .tracks import Stem, Track, keep_usable

ENSEMBLES = ("string", "brass", "woodwind", "random")


def index_cocochorales(
    root: Path, split: str, *, ensembles: Collection[str] = ENSEMBLES, tracks: int = 0
) -> list[Track]:
    """Index ``main_dataset/<train|valid|test>/<ensemble>_track<number>/stems_audio/<voice>_<instrument>.wav``.

    The tiny and the full version have the same layout: tiny is 12 + 4 + 4 of the full version's archives of 2000 tracks
    (``data_format.md`` and ``data_download/`` of its generator). That makes 40,000 tracks, of which the authors' code
    downloads all; the paper says that tiny has 4000 (section 4.1). ``mix.wav`` lies in the folder above the stems. The
    root may be ``main_dataset`` or the folder that holds it. A stem that is shorter than the others is silent after its
    end (`tracks.keep_usable`).

    Args:
        root: folder of the data set.
        split: name of the split: train, validation or test.
        ensembles: names of the ensembles to read; COCOLA All was trained on "random" alone (section 5).
        tracks: number of tracks to read of all splits and ensembles together, the same share of each; a seeded draw. 0
            reads all.

    Raises:
        AudioError: no track can be used.
        UsageError: the number of tracks is negative, or there is no such ensemble.
    """
    if tracks < 0 or not set(ensembles) <= set(ENSEMBLES):
        raise UsageError(
            f"CocoChorales has the ensembles {', '.join(ENSEMBLES)}, and tracks must be 0 or more; got "
            f"{', '.join(ensembles)} and {tracks}"
        )
    home = find_home(root, *(f"{name}/*_track*" for name in ALL_FOLDERS))
    folder = split_folder(home, split)
    found = sorted(folder.glob("*_track*/")) if folder else []
    if tracks:
        folders = [place for name in FOLDERS if (place := split_folder(home, name))]
        found = _draw_share(found, tracks / max(1, sum(1 for place in folders for _ in place.glob("*_track*/"))))
    chosen = [_read_track(track) for track in found if _ensemble(track) in ensembles]
    return keep_usable(chosen, f"{root} (cocochorales, {split})")


def _draw_share(folders: Sequence[Path], share: float) -> list[Path]:
    """Draw a share of the tracks of each ensemble; a larger share has all tracks of a smaller one."""
    by_ensemble = defaultdict(list)
    for folder in folders:
        by_ensemble[_ensemble(folder)].append(folder.name)
    drawn = {
        name for names in by_ensemble.values() for name in in_hashed_order(names)[: round(min(1.0, share) * len(names))]
    }
    return [folder for folder in folders if folder.name in drawn]


def _read_track(folder: Path) -> Track:
    stems = folder / "stems_audio"
    files = [file for file in (list_audio(stems) if stems.is_dir() else []) if not is_mixture(file)]
    return Track(folder.name, tuple(Stem(file.stem, (file,), file.stem.partition("_")[2]) for file in files))


def _ensemble(folder: Path) -> str:
    return folder.name.partition("_track")[0]
