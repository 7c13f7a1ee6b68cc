"""An embedded reference set: its statistics in a file, without its audio."""

import io
import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..addresses import Address, located
from ..errors import UsageError
from ..remote import remote_bytes
from ..stored_arrays import npz_arrays
from ..whole_files import make_folder, refuse_unwritable, written_whole
from .frechet import Statistics


@dataclass(frozen=True)
class Reference:
    """The statistics of a reference set, which can be stored without its audio.

    Attributes:
        statistics: statistics of its embeddings.
        tracks: number of clips.
        floor: split-half floor, or NaN.
        recipe: recipe of the embeddings, which must be that of generated sets.
    """

    statistics: Statistics
    tracks: int
    floor: float
    recipe: str

    def save(self, file: str | os.PathLike[str]) -> Path:
        """Write an ``.npz`` file: count, mean (D,), factor (r, D) of the scatter, tracks, floor, recipe.

        Raises:
            UsageError: the name does not end in .npz.
            OutputError: the file cannot be written.
        """
        path = Path(file)
        self.check_place(path)
        with written_whole(path) as temporary, temporary.open("wb") as opened:
            np.savez(
                opened,
                count=self.statistics.count,
                mean=self.statistics.mean,
                factor=self.statistics.factor,
                tracks=self.tracks,
                floor=self.floor,
                recipe=self.recipe,
            )
        return path

    @staticmethod
    def check_place(path: Path) -> None:
        """Refuse a name that `save` could not write, before the work begins; the folder is created.

        Raises:
            UsageError: the name does not end in .npz.
            OutputError: the file cannot be written.
        """
        if path.suffix != ".npz":
            raise UsageError(f"the file of reference statistics must end in .npz; got {path}")
        make_folder(path.parent)
        refuse_unwritable(path)

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> "Reference":
        """Read a file that `save` wrote, from a path or an address.

        Raises:
            UsageError: the file is missing, damaged, or holds something else.
        """
        try:
            place = located(file)
            stored = npz_arrays(io.BytesIO(remote_bytes(place)) if isinstance(place, Address) else place)
            mean, factor = (np.asarray(stored[name], np.float64) for name in ("mean", "factor"))
            count, tracks, floor = (stored[name].item() for name in ("count", "tracks", "floor"))
            reference = cls(Statistics(int(count), mean, factor), int(tracks), float(floor), str(stored["recipe"]))
        except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise UsageError(f"{file}: not reference statistics ({error}); make them with Reference.save") from error
        if (
            factor.ndim != 2
            or mean.shape != factor.shape[1:]
            or not np.isfinite(mean).all()
            or not np.isfinite(factor).all()
            or reference.statistics.count < 2
            or not 1 <= reference.tracks <= reference.statistics.count
            or not (math.isnan(reference.floor) or 0 <= reference.floor < math.inf)
        ):
            raise UsageError(f"{file}: damaged reference statistics; make them again")
        return reference
