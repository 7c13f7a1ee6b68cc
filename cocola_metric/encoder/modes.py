"""The parts of the sound that an encoder of two channels can be asked to encode."""

from typing import Literal, get_args

Mode = Literal["both", "harmonic", "percussive"]
MODES: tuple[Mode, ...] = get_args(Mode)
