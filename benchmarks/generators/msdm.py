"""MSDM as a generator: unconditional generation, accompaniments to given stems, and source separation (Table 1)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cocola_metric.errors import UsageError
from cocola_metric.training.msdm import MSDM, MSDMConfig, load_msdm, msdm_sha256
from cocola_metric.training.paper import Task

from ..guides import split_guidance
from ..queries import ConditioningAudio, Query, Submix
from .content import Content, content_of
from .folder import Generated
from .guided import Guided, guided_name, open_guided
from .guided_pairs import bending, pairs_of
from .msdm_sampler import (
    PARTIAL,
    SEPARATION,
    UNCONDITIONAL,
    Denoiser,
    Sampling,
    generate_stems,
    guided,
    separate_stems,
)
from .protocol import row_name
from .settings import with_settings

SCHEDULES = {Task.UG: UNCONDITIONAL, Task.AG: PARTIAL, Task.SS: SEPARATION}
"""The tasks that MSDM claims, and their published schedules."""


@dataclass(frozen=True)
class MSDMGenerator:
    """MSDM, which draws all of its stems at once.

    For accompaniments it is given the stems of the conditioning one by one; where nothing is given, it draws a whole
    band; for separation it is given the mixture. It reads from the query's start on, as long as the model's own window,
    which is longer than the query. Stems that it draws and nobody asked for are left out of the answer. The paper takes
    the best of 12 accompaniments: wrap it in `BestOf`.

    Attributes:
        model: network in evaluation mode, on the device that computes.
        weights_sha256: hash of its weights.
        sampling: schedule of the sampler.
        name: name of its row: "MSDM" with the released weights, "MSDM, small, ours" with our small ones.
        task: task of the queries.
        guided: guide and settings of guidance; None without.
    """

    model: MSDM
    weights_sha256: str
    sampling: Sampling = PARTIAL
    name: str = "MSDM"
    task: Task = Task.AG
    guided: Guided | None = None

    @property
    def content(self) -> Content:
        """Stems for tasks that need them."""
        return content_of(self.task)

    def unsupported(self, query: Query) -> str | None:
        """Return a reason if MSDM does not claim the task, or a query is too long or names other or given stems."""
        config = self.model.config
        if query.task not in SCHEDULES:
            return f"MSDM does not claim {query.task}"
        given, wanted = _instruments(query.conditioning), _instruments(query.accompaniment)
        foreign = sorted((given | wanted) - set(config.stems))
        if foreign:
            return f"MSDM plays {', '.join(config.stems)}, not {', '.join(foreign)}"
        if query.task is Task.AG and given & wanted:
            return f"MSDM plays one {sorted(given & wanted)[0]}, which is given"
        if round(query.seconds * config.sample_rate) > config.length:
            return f"MSDM plays {config.seconds:.3f} s, not {query.seconds:g} s"
        return None

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Return weights, schedule and the hash of all that is read of the conditioning."""
        heard = replace(query, conditioning=replace(query.conditioning, seconds=self.model.config.seconds))
        recipe = {
            "weights": self.weights_sha256,
            "sampling": asdict(self.sampling),
            "conditioning": audio.fingerprint(heard),
        }
        return recipe | (self.guided.recipe if self.guided else {})

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Draw one answer to each query, at the length and the rate of the model."""
        config = self.model.config
        device = next(self.model.parameters()).device
        heard = [self._given(query, audio) for query in queries]
        given = torch.stack([stems for stems, _ in heard]).to(device)  # (B, N, L)
        mask = torch.stack([known for _, known in heard])  # (B, N)
        noise = torch.Generator().manual_seed(int(rng.integers(2**63)))
        with torch.no_grad():  # inference mode would leave nothing to a guide
            denoise = self._denoiser(queries, given)
            if self.task is Task.SS:
                drawn = separate_stems(denoise, given.sum(dim=1), len(config.stems), self.sampling, rng=noise)
            else:
                drawn = generate_stems(denoise, given, mask, self.sampling, rng=noise)
        return [
            Generated(self._wanted(query, stems).numpy(), config.sample_rate)
            for query, stems in zip(queries, drawn.cpu(), strict=True)
        ]

    def _denoiser(self, queries: Sequence[Query], given: Tensor) -> Denoiser:
        """Return the network, guided where there is a guide: given stems are (B, N, L)."""
        if self.guided is None:
            return self.model
        config = self.model.config
        names = [[_instrument(tag) for tag in query.accompaniment.tags] for query in queries]
        rows = [[config.stems.index(name) for name in one] for one in names]
        asked = zip(queries, rows, given.sum(dim=1), strict=True)
        pairs = [pairs_of(query, places, music, len(config.stems)) for query, places, music in asked]
        return guided(self.model, bending(self.guided, queries, pairs, config.sample_rate, config.sigma_data))

    def _wanted(self, query: Query, stems: Tensor) -> Tensor:
        """Return the stems that are asked for, (N, L) or (L,); of several of one instrument, the first plays all."""
        names = [_instrument(tag) for tag in query.accompaniment.tags]
        if self.content != "stems":
            return stems[sorted({self.model.config.stems.index(name) for name in names})].sum(dim=0)
        rows = torch.stack([stems[self.model.config.stems.index(name)] for name in names])
        rows[[place for place, name in enumerate(names) if name in names[:place]]] = 0
        return rows

    def _given(self, query: Query, audio: ConditioningAudio) -> tuple[Tensor, Tensor]:
        """Return the given stems, (N, L), and which of the model's stems they are, (N,)."""
        config = self.model.config
        stems, mask = torch.zeros(len(config.stems), config.length), torch.zeros(len(config.stems), dtype=torch.bool)
        for tag, samples in audio.conditioning_stems(query, config.sample_rate, seconds=config.seconds).items():
            channel = config.stems.index(_instrument(tag))
            stems[channel] += torch.from_numpy(samples)
            mask[channel] = True
        return stems, mask


def make_msdm(argument: str, device: str = "cpu", task: Task = Task.AG) -> MSDMGenerator:
    """Make the generator from what follows the colon in "msdm:WEIGHTS,steps=64,resamples=4".

    Args:
        argument: released .ckpt file, or folder that ``training.msdm.save_msdm`` wrote; then fields of `Sampling`, and
            settings of guidance.
        device: device, in torch's words.
        task: task of the queries, which has a published schedule.

    Raises:
        CheckpointError: the weights cannot be loaded.
        UsageError: no weights are named, or a setting is unknown or out of range.
    """
    place, *settings = argument.split(",")
    if not place:
        raise UsageError("the generator msdm needs weights; write msdm:FILE.ckpt or msdm:DIR")
    guidance, settings = split_guidance(settings, "msdm")
    sampling = with_settings(SCHEDULES.get(task, PARTIAL), settings, "msdm")
    path = Path(place).expanduser()
    model = load_msdm(path).to(device).requires_grad_(False)
    guide = open_guided(guidance, device)
    name = guided_name(row_name("MSDM", released=path.is_file(), small=model.config != MSDMConfig()), guide)
    return MSDMGenerator(model, msdm_sha256(path), sampling, name, task, guide)


def _instruments(submix: Submix) -> set[str]:
    return {_instrument(tag) for tag in submix.tags}


def _instrument(tag: str) -> str:
    """Return a tag without its number.

    >>> _instrument("guitar_2")
    'guitar'
    """
    return tag.rpartition("_")[0]
