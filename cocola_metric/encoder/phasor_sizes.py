"""The numbers of an embedding that are phasors, and those that are not; see `phasors.py`."""

from dataclasses import dataclass

TIME_FREQUENCIES = 30
"""Number of frequencies over time: 0.2 to 6 Hz, from a beat at 12 bpm to a sixteenth note at 90 bpm."""
PITCH_FREQUENCIES = 12
"""Number of frequencies over pitch: 1 to 12 periods per octave, which tell semitones apart in any octave."""
HARMONY_FREQUENCIES = 5
"""Number of frequencies over time in the series over pitch, in both directions; chords may change once a second."""
VERDICT_WIDTH = 2
"""Numbers of a verdict on noise: a one, and the probability that this side is noise."""


@dataclass(frozen=True)
class PhasorGroup:
    """The phasors of one kind within an embedding: all real parts, then all imaginary parts, frequency by frequency.

    Attributes:
        frequencies: number of Fourier frequencies.
        channels: number of learned channels, each with one phasor per frequency.
    """

    frequencies: int
    channels: int

    @property
    def width(self) -> int:
        """Number of real numbers of the group."""
        return 2 * self.frequencies * self.channels


@dataclass(frozen=True)
class PhasorSizes:
    """Numbers of learned channels.

    Attributes:
        trunk: channels over time of the trunk's map.
        image: channels over time of the images.
        saliences: channels over pitch.
        hidden: channels between the trunk's map and its channels over time; 0 stands for none between.
        hidden_saliences: channels between the images and the saliences.
    """

    trunk: int = 8
    image: int = 4
    saliences: int = 2
    hidden: int = 0
    hidden_saliences: int = 8

    @property
    def time(self) -> PhasorGroup:
        """Phasors over time."""
        return PhasorGroup(TIME_FREQUENCIES, self.trunk + self.image)

    @property
    def pitch(self) -> PhasorGroup:
        """Phasors over pitch."""
        return PhasorGroup(PITCH_FREQUENCIES * (2 * HARMONY_FREQUENCIES + 1), self.saliences)


NARROW, WIDE = PhasorSizes(), PhasorSizes(24, 8, 4, hidden=48, hidden_saliences=16)
PHASOR_GROUPS = {
    "phasors": (NARROW.time, NARROW.pitch),
    "time_phasors": (NARROW.time,),
    "mixed_phasors": (NARROW.time, NARROW.pitch),
    "wide_phasors": (WIDE.time, WIDE.pitch),
    "wide_phasors_noise": (WIDE.time, WIDE.pitch),
}
"""Similarity -> the phasors at the end of an embedding; before them stands a verdict if the name says noise."""


def real_width(similarity: str, embedding_dim: int) -> int:
    """Return how many numbers of an embedding, the first ones, are neither phasors nor a verdict on noise.

    Args:
        similarity: key of ``SIMILARITIES``.
        embedding_dim: number of dimensions of the whole embedding.
    """
    verdict = VERDICT_WIDTH if similarity.endswith("_noise") else 0
    return embedding_dim - verdict - sum(group.width for group in PHASOR_GROUPS.get(similarity, ()))
