"""GMSDI as a generator: several sources at once, from a model of single sub-mixes given their tags (Table 1)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from cocola_metric.errors import UsageError
from cocola_metric.training.gmsdi import GMSDI, gmsdi_sha256, load_gmsdi
from cocola_metric.training.paper import Task

from ..guides import Bending, split_guidance
from ..queries import ConditioningAudio, Query
from .content import Content, content_of
from .folder import Generated
from .gmsdi_sampler import CoupledSampling, Denoiser, SeparationSampling, draw_sources, separate_sources
from .guided import Guided, guided_name, open_guided
from .guided_pairs import bending, pairs_of
from .protocol import row_name
from .settings import with_settings

SCHEDULES: dict[Task, CoupledSampling | SeparationSampling] = {
    Task.UG: CoupledSampling(),
    Task.AG: CoupledSampling(),
    Task.SS: SeparationSampling(),
}
"""The tasks that GMSDI claims."""
LEAST_POWER = 1e-6
"""Mean square of a given source that is silent: -60 dB of full scale."""


class Sources(NamedTuple):
    """The sources of a query: what is given, and what is drawn.

    Attributes:
        tags: instruments of each source.
        given: music that is given, (L,): of the first source, or the mixture of all.
        mask: choice of the given sources, (K,).
        powers: mean square of each source, roughly, (K,).
        wanted: sources that answer the parts that are asked for, in their order.
    """

    tags: list[set[str]]
    given: Tensor
    mask: Tensor
    powers: Tensor
    wanted: list[int]


@dataclass(frozen=True)
class GMSDIGenerator:
    """Generalized multi-source diffusion inference (reference [46] of the paper; docs/gmsdi.md).

    Every part that is asked for is a source of its own. For accompaniments the given sub-mix is one more source, and it
    is known. For separation the parts that nobody asked for are one more source, and the sum is known.

    Attributes:
        model: network in evaluation mode, on the device that computes.
        weights_sha256: hash of its weights.
        sampling: schedule of the sampler.
        guidance: weight of classifier-free guidance by the tags; with 1 the tags alone count.
        name: name of its row.
        task: task of the queries.
        guided: guide and settings of guidance by a score; None without.
    """

    model: GMSDI
    weights_sha256: str
    sampling: CoupledSampling | SeparationSampling
    guidance: float = 1.0
    name: str = "GMSDI"
    task: Task = Task.AG
    guided: Guided | None = None

    @property
    def content(self) -> Content:
        """Stems for tasks that need them."""
        return content_of(self.task)

    def unsupported(self, query: Query) -> str | None:
        """Return a reason if GMSDI does not claim the task, or a query is too long or has tags that are unknown."""
        config = self.model.config
        if query.task not in SCHEDULES:
            return f"GMSDI does not claim {query.task}"
        foreign = sorted(_instruments((*query.conditioning.tags, *query.accompaniment.tags)) - set(config.tags))
        if foreign:
            return f"this model knows {', '.join(config.tags)}, not {', '.join(foreign)}"
        if round(query.seconds * config.sample_rate) > config.length:
            return f"this model plays {config.seconds:.3f} s, not {query.seconds:g} s"
        return None

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Return weights, schedule and the hash of all that is read of the conditioning."""
        heard = replace(query, conditioning=replace(query.conditioning, seconds=self.model.config.seconds))
        recipe = {
            "weights": self.weights_sha256,
            "powers": self.model.config.powers,
            "sampling": asdict(self.sampling),
            "guidance": self.guidance,
            "conditioning": audio.fingerprint(heard),
        }
        return recipe | (self.guided.recipe if self.guided else {})

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Draw one answer to each query, at the length and the rate of the model; as many at once as have K sources."""
        noise = torch.Generator().manual_seed(int(rng.integers(2**63)))
        sources = [self._sources(query, audio) for query in queries]
        answers: dict[int, Generated] = {}
        for count in sorted({len(one.tags) for one in sources}):
            rows = [row for row, one in enumerate(sources) if len(one.tags) == count]
            with torch.no_grad():  # inference mode would leave nothing to a guide
                drawn = self._draw([queries[row] for row in rows], [sources[row] for row in rows], noise).cpu()
            for row, stems in zip(rows, drawn, strict=True):
                wanted = stems[sources[row].wanted]
                music = wanted if self.content == "stems" else wanted.sum(dim=0)
                answers[row] = Generated(music.numpy(), self.model.config.sample_rate)
        return [answers[row] for row in range(len(queries))]

    def _draw(self, queries: Sequence[Query], batch: Sequence[Sources], noise: torch.Generator) -> Tensor:
        """Draw the sources of queries that have equally many: (B, K, L)."""
        device = next(self.model.parameters()).device
        given = torch.stack([one.given for one in batch]).to(device)  # (B, L)
        powers = torch.stack([one.powers for one in batch]).to(device)
        count = powers.shape[1]
        guiding = self._guiding(queries, batch, given)
        if isinstance(self.sampling, SeparationSampling):
            denoise = self._denoiser([one.tags for one in batch])
            return separate_sources(denoise, given, count, self.sampling, rng=noise, powers=powers, guiding=guiding)
        mask = torch.stack([one.mask for one in batch])
        known = torch.zeros(*mask.shape, given.shape[1], device=device)
        known[:, 0] = given
        denoise = self._denoiser([[*one.tags, set().union(*one.tags)] for one in batch])
        return draw_sources(denoise, known, mask, self.sampling, rng=noise, powers=powers, guiding=guiding)

    def _guiding(self, queries: Sequence[Query], batch: Sequence[Sources], given: Tensor) -> Bending | None:
        """Return the guidance of a batch, whose given music is (B, L)."""
        if self.guided is None:
            return None
        asked = zip(queries, batch, given, strict=True)
        pairs = [pairs_of(query, one.wanted, music, len(one.tags)) for query, one, music in asked]
        config = self.model.config
        return bending(self.guided, queries, pairs, config.sample_rate, config.sigma_data)

    def _denoiser(self, tags: Sequence[Sequence[set[str]]]) -> Denoiser:
        """Return the denoiser of rows with these tags: B queries of R rows."""
        words = self.model.words([row for rows in tags for row in rows])

        def denoise(x: Tensor, levels: Tensor) -> Tensor:
            estimate: Tensor = self.model(x.flatten(0, 1)[:, None], levels.flatten(), words, self.guidance)
            return estimate.view_as(x)

        return denoise

    def _sources(self, query: Query, audio: ConditioningAudio) -> Sources:
        """Return the sources of a query."""
        config = self.model.config
        given, wanted = query.conditioning.tags, query.accompaniment.tags
        tags, known = [_instruments([tag]) for tag in wanted], torch.zeros(config.length)
        if given:
            heard = audio.conditioning(query, config.sample_rate, seconds=config.seconds)
            known[: len(heard)] = torch.from_numpy(heard)[: config.length]
        first = 0
        if self.task is Task.AG:
            first, tags = 1, [_instruments(given), *tags]
        elif self.task is Task.SS and (rest := _instruments(set(given) - set(wanted))):
            tags.append(rest)
        mask = torch.tensor([row < first for row in range(len(tags))])
        powers = torch.tensor([self._power(one) for one in tags])
        if first:
            powers[0] = known.square().mean().clamp(min=LEAST_POWER)
        return Sources(tags, known, mask, powers, list(range(first, first + len(wanted))))

    def _power(self, tags: set[str]) -> float:
        config = self.model.config
        powers = dict(zip(config.tags, config.powers or [config.sigma_data**2] * len(config.tags), strict=True))
        return float(sum(powers[tag] for tag in tags))


def make_gmsdi(argument: str, device: str = "cpu", task: Task = Task.AG) -> GMSDIGenerator:
    """Make the generator from what follows the colon in "gmsdi:DIR,steps=64,guidance=2".

    Args:
        argument: folder that ``training.gmsdi`` wrote; then fields of the task's sampling, guidance by the tags, and
            settings of guidance by a score, which begin with "guide".
        device: device, in torch's words.
        task: task of the queries.

    Raises:
        CheckpointError: the weights cannot be loaded.
        UsageError: no weights are named, or a setting is unknown or out of range.
    """
    place, *settings = argument.split(",")
    if not place:
        raise UsageError("the generator gmsdi needs weights; write gmsdi:DIR")
    guide, settings = split_guidance(settings, "gmsdi")
    guided = [text for text in settings if text.startswith("guidance=")]
    others = [text for text in settings if text not in guided]
    sampling = with_settings(SCHEDULES.get(task, SCHEDULES[Task.AG]), others, "gmsdi")
    guidance = with_settings(_Guidance(), guided, "gmsdi").guidance
    path = Path(place).expanduser()
    model = load_gmsdi(path).to(device).requires_grad_(False)
    judged = open_guided(guide, device)
    name = guided_name(row_name("GMSDI", released=False, small=True), judged)
    return GMSDIGenerator(model, gmsdi_sha256(path), sampling, guidance, name, task, judged)


@dataclass(frozen=True)
class _Guidance:
    guidance: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.guidance < float("inf"):
            raise UsageError(f"guidance must be 0 or more; got {self.guidance}")


def _instruments(tags: Sequence[str] | set[str]) -> set[str]:
    """Return tags without their numbers.

    >>> sorted(_instruments(["guitar_2", "guitar_1", "chromatic_percussion_1"]))
    ['chromatic_percussion', 'guitar']
    """
    return {tag.rpartition("_")[0] for tag in tags}
