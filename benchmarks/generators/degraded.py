"""A generator with the right notes and a bad sound: it should have a high score and a large Fréchet distance."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocola_metric.errors import UsageError
from cocola_metric.training.paper import Task

from ..queries import ConditioningAudio, Query, QueryAudio, limit_band
from .content import Content, content_of
from .folder import Generated
from .made_part import answer_with, real_part


@dataclass(frozen=True)
class Artefacts:
    """Damage that is done to the sound.

    Attributes:
        band: highest frequency that is kept, in Hz, as by an encoder at a low bit rate.
        snr: level of the music above that of the noise, in dB over the whole window; the noise is white up to the band.
    """

    band: float = 4_000.0
    snr: float = 0.0

    def __post_init__(self) -> None:
        if not self.band > 0 or not np.isfinite(self.snr):
            raise UsageError(
                f"degraded: band must be above 0 Hz, and snr a number of dB; got band={self.band:g}, snr={self.snr:g}"
            )


@dataclass(frozen=True)
class Degraded:
    """The real music of what has to be made (``made_part``) with `Artefacts`: perfectly coherent, audibly damaged."""

    audio: QueryAudio
    artefacts: Artefacts = Artefacts()
    name: str = "Degraded"
    task: Task = Task.AG

    @property
    def content(self) -> Content:
        """Stems for tasks that need them."""
        return content_of(self.task)

    def unsupported(self, query: Query) -> None:
        """Every query has an answer."""

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Return the hash of the target, and the artefacts."""
        return {"target": self.audio.target_fingerprint(query), **asdict(self.artefacts)}

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Return m_X with artefacts, at the rate of its files."""
        answers = []
        for query in queries:
            rate = self.audio.target_rate(query)
            made = real_part(query, self.audio, rate)
            rows = [degrade(row, rate, self.artefacts, rng) for row in np.atleast_2d(made)]
            made = np.stack(rows).reshape(made.shape)
            answers.append(Generated(answer_with(made, query, self.audio, rate), rate))
        return answers


def degrade(
    samples: NDArray[np.float32], sample_rate: int, artefacts: Artefacts, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Cut off the high end of audio and add noise; the result is the same at every sample rate that holds the band.

    Shape:
        (L,) -> (L,).
    """
    noise = limit_band(rng.standard_normal(len(samples), dtype=np.float32), sample_rate, artefacts.band)
    gain = _rms(samples) / _rms(noise) * 10 ** (-artefacts.snr / 20)
    return limit_band(samples, sample_rate, artefacts.band) + noise * np.float32(gain)


def _rms(samples: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def make_degraded(argument: str, audio: QueryAudio, task: Task = Task.AG) -> Degraded:
    """Make the generator from what follows the colon in "degraded:band=4000,snr=0"; nothing means the defaults.

    Raises:
        UsageError: a setting is unknown or out of range.
    """
    known = {field.name for field in fields(Artefacts)}
    settings: dict[str, float] = {}
    for text in filter(None, argument.split(",")):
        name, _, value = text.partition("=")
        try:
            if name not in known:
                raise ValueError(name)
            settings[name] = float(value)
        except ValueError:
            raise UsageError(f"degraded: a setting must be band=HZ or snr=DB; got {text!r}") from None
    name = f"Degraded ({argument})" if argument else "Degraded"
    return Degraded(audio, replace(Artefacts(), **settings), name, task)
