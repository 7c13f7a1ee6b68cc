"""A guide with its settings, as a generator holds them: what goes into the recipe of its answers."""

from dataclasses import asdict, dataclass
from typing import Any

from ..guides import Guidance, Guide, open_guide


@dataclass(frozen=True)
class Guided:
    """A guide and the settings of guidance.

    Attributes:
        guide: guide that scores what is drawn.
        guidance: weight, schedule and limit.
    """

    guide: Guide
    guidance: Guidance

    @property
    def recipe(self) -> dict[str, Any]:
        """What an answer depends on: the settings, and the weights of the encoder by their hash."""
        return {"guide": {**asdict(self.guidance), "weights": self.guide.identity}}


def open_guided(guidance: Guidance | None, device: str) -> Guided | None:
    """Open the encoder of some settings; None where there are none, or where their weight is 0.

    Raises:
        CheckpointError: the encoder cannot be loaded, or has no gradient.
    """
    return Guided(open_guide(guidance.encoder, device), guidance) if guidance and guidance.weight else None


def guided_name(name: str, guided: Guided | None) -> str:
    """Return the name of a row: the system's, and its guide where it has one, with the settings that are not usual."""
    if guided is None:
        return name
    how, usual = guided.guidance, Guidance(guided.guidance.encoder)
    settings = [f"{how.weight:g}"]
    settings += [how.schedule] if how.schedule != usual.schedule else []
    settings += [f"limit {how.limit:g}"] if how.limit != usual.limit else []
    return f"{name}, guided by {how.encoder.rstrip('/').rpartition('/')[2]} ({', '.join(settings)})"
