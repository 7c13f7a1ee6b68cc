"""The two protocols of an evaluation: the paper's, which published figures follow, and a stricter one."""

from typing import Literal, get_args

Protocol = Literal["strict", "paper"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
DESCRIPTIONS: dict[Protocol, str] = {
    "strict": (
        "windows that do not overlap and in which two sides sound (above -45 dBFS), every sub-mix at -20 dBFS, each "
        "window against ten others of another track or of the same one, a tie half a win"
    ),
    "paper": (
        "windows that overlap by half, stems drawn anew in each window (silent ones, too), levels as in the files, "
        "batches of K windows of any tracks, Eq. 8 averaged over the batches, a tie no win"
    ),
}
"""What is measured, by protocol."""
