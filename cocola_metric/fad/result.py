"""The result of a Fréchet audio distance, and what to know before it is compared."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from .estimates import MIN_TRACKS


@dataclass(frozen=True)
class FadResult:
    """A Fréchet audio distance with its circumstances; lower is nearer. NaN marks estimates that need more clips.

    Attributes:
        fad: Fréchet audio distance.
        interval: 95 % bootstrap interval over tracks of a FAD at this n (`fad_estimates.bootstrap_interval`).
        infinity: FAD-infinity, the extrapolation to many tracks, without replacement; noise can make it negative.
        infinity_r_squared: R squared of the line behind `infinity`; far below 1, that value is not reliable.
        floor: mean FAD between halves of the reference set; a FAD of this size shows no difference.
        n: number of embeddings of the generated set.
        n_reference: number of embeddings of the reference set.
        tracks: number of clips of the generated set.
        tracks_reference: number of clips of the reference set.
        dimension: dimension of the embeddings, D; with n below D, a large part of a FAD is bias.
        per_song: FAD of every generated clip alone, in order.
        signature: recipe, to be cited with the number.
    """

    fad: float
    interval: tuple[float, float]
    infinity: float
    infinity_r_squared: float
    floor: float
    n: int
    n_reference: int
    tracks: int
    tracks_reference: int
    dimension: int
    per_song: tuple[float, ...]
    signature: str

    @property
    def remarks(self) -> list[str]:
        """What to know before this distance is compared with others, in words; none for many clips far apart."""
        return [remark for remark in (self._on_bias(), self._on_floor(), self._on_limit()) if remark]

    def as_json(self) -> dict[str, Any]:
        """Return the result as a dictionary for JSON, with None in place of NaN."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    def _on_bias(self) -> str:
        fewest, whose = min((self.n, "generated"), (self.n_reference, "reference"))
        if fewest >= self.dimension:
            return ""
        return (
            f"n is {fewest} ({whose} set), below D = {self.dimension}: a large part of this FAD is bias, which depends "
            "on n; give more clips, and compare only sets of one n"
        )

    def _on_floor(self) -> str:
        if math.isnan(self.floor):
            return "floor is null: half of the reference set has fewer than 2 embeddings, or it was stored without one"
        if self.fad >= self.floor:
            return ""
        return f"FAD {self.fad:.4f} is below the floor {self.floor:.4f} of two halves of the reference: no difference"

    def _on_limit(self) -> str:
        if not math.isnan(self.infinity):
            return ""
        if min(self.tracks, self.tracks_reference) < MIN_TRACKS:
            counts = f"{self.tracks} generated and {self.tracks_reference} reference clips"
            return f"infinity is null: it is extrapolated from quarters of {MIN_TRACKS} clips or more; got {counts}"
        return "infinity is null: a quarter of the clips has fewer than 2 embeddings; give longer clips, or more"


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value
