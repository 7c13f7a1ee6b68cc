"""The reference of an encoder: scores of coherent and of mismatched pairs of known music, in every mode."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .distributions import Lengths


@dataclass(frozen=True)
class ScoreReference:
    """The scores of an encoder on known music, coherent and mismatched.

    Attributes:
        weights_sha256: SHA-256 of the weights that it was made with; it holds for no others.
        window: length of a window, in seconds.
        hop: time from the start of one window to the next, in seconds.
        protocol: description of the pairs, in words.
        music: name of each set of music -> its number of tracks.
        calibration_error: name of each held-out set of music -> expected calibration error of the likelihood of single
            windows, from 0 to 1; empty if none was measured.
        parts: scores of each mode and direction.
        sha256: SHA-256 of its file; empty if there is none.
    """

    weights_sha256: str
    window: float
    hop: float
    protocol: str
    music: Mapping[str, int]
    parts: tuple[Lengths, ...]
    calibration_error: Mapping[str, float] = field(default_factory=dict)
    sha256: str = ""

    def of(self, mode: str = "both", *, symmetric: bool = False) -> Lengths | None:
        """Return the scores of a mode and direction; None if the reference lacks them."""
        found = (part for part in self.parts if (part.mode, part.symmetric) == (mode, symmetric))
        return next(found, None)

    def fits(self, window: float, hop: float) -> bool:
        """Tell whether scores of such windows can be read by this reference."""
        return (window, hop) == (self.window, self.hop)
