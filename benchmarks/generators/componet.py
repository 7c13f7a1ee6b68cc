"""CompoNet as a generator of all tasks: it is given the conditioning as one mix, and the tags of both sides."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cocola_metric.errors import CheckpointError, UsageError
from cocola_metric.identity import file_sha256
from cocola_metric.training.paper import Task

from ..guides import split_guidance
from ..queries import ConditioningAudio, Query
from .content import Content, content_of
from .folder import Generated
from .guided import Guided, guided_name, open_guided
from .protocol import row_name

Samples = NDArray[np.float32]
OFFICIAL_STEPS = 150
ADAPTER_FILE = "componet.safetensors"
GUIDED_TASKS = (Task.AG, Task.UG)
"""Tasks whose answers hold nothing of what is given; of the others, a copy of what is given would score best."""


@dataclass(frozen=True)
class Answering:
    """The settings by which CompoNet answers.

    Attributes:
        steps: number of steps of DDIM; "official" stands for 150, the number in the released code's example.
        seconds: length of audio that is read and generated, in seconds from the query's start; 0 stands for the query's
            own. The paper trained on 10.24 s and answers queries of about 6 s (MUSDB18-HQ).
        gain: factor by which music was louder in training than in queries; the answer is made softer by as much. It is
            2 for the released MUSDB18-HQ checkpoint: there left and right were summed, here they are averaged.
        posterior: source of w: 1 draws it from the VAE's posterior, as the released code does; 0 takes the mode.
        bfloat16: switch: 1 computes in bfloat16, 0 in float32.
    """

    steps: int = 200
    seconds: float = 0.0
    gain: float = 1.0
    posterior: int = 0
    bfloat16: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.seconds < 0 or self.gain <= 0:
            raise UsageError(
                "componet: steps must be 1 or more, gain above 0, seconds 0 or more; got "
                f"steps={self.steps}, gain={self.gain:g}, seconds={self.seconds:g}"
            )


class CompoNetGenerator:
    """CompoNet on AudioLDM2, or on a small model of its shape.

    It makes one sub-mix at a time. Where stems are asked for one by one, each is a question of its own: stems to be
    separated are each asked of the mixture; where nothing is given, each stem is asked to fit those made before it.

    Attributes:
        base: pipeline and text encoders, on the device that computes.
        componet: network that predicts the noise.
        weights: hashes of base and adapter.
        answering: settings of the answers.
        guided: guide and settings of guidance; None without.
        content: content of the answers, stems for tasks that need them.
    """

    def __init__(
        self,
        base: Any,
        componet: Any,
        weights: Mapping[str, str],
        answering: Answering,
        guided: Guided | None = None,
        name: str = "CompoNet",
        task: Task = Task.AG,
    ) -> None:
        """Make a generator of loaded networks.

        Args:
            base: pipeline and text encoders.
            componet: network that predicts the noise.
            weights: hashes of all weights.
            answering: settings of the answers.
            guided: guide and settings of guidance; None without.
            name: name of its row: "CompoNet" with released weights, "CompoNet, small, ours" with our small ones.
            task: task of the queries.
        """
        self.content: Content = content_of(task)
        self.base, self.componet, self.weights, self.answering = base, componet, dict(weights), answering
        self.guided, self.name = guided, name

    def unsupported(self, query: Query) -> str | None:
        """Return a reason if the model lacks a tag, takes fewer of them or fewer seconds, or nothing is asked for."""
        from cocola_metric.training.componet import SLOTS

        known, asked = self.base.tags, {*query.conditioning.tags, *query.accompaniment.tags}
        if known is not None and asked - known:
            return f"this CompoNet knows no {', '.join(sorted(asked - known))}"
        if known is not None and len(query.conditioning.tags) + len(query.accompaniment.tags) > SLOTS:
            return f"this CompoNet takes {SLOTS} tags"
        if self.answering.seconds and self.answering.seconds < query.seconds:
            return f"CompoNet was asked to make {self.answering.seconds:g} s, not {query.seconds:g} s"
        return None if query.accompaniment.parts else "nothing is asked for"

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Return weights, settings and the hash of all that is read of the conditioning."""
        heard = audio.fingerprint(query, seconds=self._seconds(query)) if query.conditioning.parts else ""
        recipe = {"weights": self.weights, "answering": asdict(self.answering), "conditioning": heard}
        return recipe | (self.guided.recipe if self.guided else {})

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Draw one answer to each query at 16 kHz, those of one length together."""
        order = sorted(range(len(queries)), key=lambda place: self._seconds(queries[place]))
        answers: dict[int, Samples] = {}
        for seconds, group in groupby(order, key=lambda place: self._seconds(queries[place])):
            places = list(group)
            asked = [queries[place] for place in places]
            given = [_given(query, audio, seconds) for query in asked]
            draw = self._draw_stems if self.content == "stems" else self._draw
            answers |= zip(places, draw(asked, given, seconds, rng), strict=True)
        return [Generated(answers[place], self._rate) for place in range(len(queries))]

    @property
    def _rate(self) -> int:
        from cocola_metric.training.componet import SAMPLE_RATE

        return SAMPLE_RATE

    def _seconds(self, query: Query) -> float:
        return self.answering.seconds or query.seconds

    def _draw_stems(
        self, queries: Sequence[Query], given: Sequence[Samples], seconds: float, rng: np.random.Generator
    ) -> list[Samples]:
        """Draw the stems of each query one by one, (N, L); the k-th stems of all queries together."""
        made: list[list[Samples]] = [[] for _ in queries]
        for place in range(max(len(query.accompaniment.parts) for query in queries)):
            left = [number for number, query in enumerate(queries) if len(query.accompaniment.parts) > place]
            alone = [_one_stem(queries[number], place) for number in left]
            alone_given = [
                np.sum([given[number], *(made[number] if queries[number].task is Task.UG else [])], axis=0)
                for number in left
            ]
            for number, stem in zip(left, self._draw(alone, alone_given, seconds, rng), strict=True):
                made[number].append(stem)
        return [np.stack(stems) for stems in made]

    def _draw(
        self, queries: Sequence[Query], heard: Sequence[Samples], seconds: float, rng: np.random.Generator
    ) -> list[Samples]:
        """Draw one sub-mix for each query and its given mix, (L,) each."""
        from cocola_metric.training.componet import ROWS, SAMPLE_RATE, decode_audio, encode_audio, generate_latents

        vae, how = self.base.pipeline.vae, self.answering
        device = next(vae.parameters()).device
        length = round(seconds * SAMPLE_RATE)
        given = torch.from_numpy(np.stack(heard)).to(device) * how.gain  # (B, L)
        seeds = [int(seed) for seed in rng.integers(2**63, size=2)]
        drawn = torch.Generator(device).manual_seed(seeds[0]) if how.posterior else None
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bool(how.bfloat16)):
            condition = encode_audio(vae, given, generator=drawn, multiple=ROWS).float()  # as trained; DDIM needs it
            noise = torch.randn(condition.shape, generator=torch.Generator().manual_seed(seeds[1])).to(condition)
            prompts = [query.prompt for query in queries]
            predictor = self._predictor(given / how.gain, length)
            latents = generate_latents(self.base, predictor, prompts, condition, noise, steps=how.steps)
            waveforms = decode_audio(vae, self.base.pipeline.vocoder, latents.float(), samples=length)
        return list((waveforms / how.gain).float().cpu().numpy())

    def _predictor(self, given: Tensor, length: int) -> Any:
        """Return the network that predicts the noise, guided towards the given mixes (B, L) where there is a guide."""
        if self.guided is None:
            return self.componet
        from .componet_guided import GuidedPredictor, quick_decoder

        guide, guidance, gain = self.guided.guide, self.guided.guidance, self.answering.gain
        decode = quick_decoder(self.base.pipeline, length)

        def pull(waveforms: Tensor) -> Tensor:
            return guide.pull(given, waveforms / gain, self._rate).answer / gain

        return GuidedPredictor(self.componet, self.base.pipeline.scheduler, decode, pull, guidance)


def make_componet(argument: str, device: str = "cpu", task: Task = Task.AG) -> CompoNetGenerator:
    """Make the generator from what follows the colon in "componet:BASE,adapter=FILE,steps=200".

    Args:
        argument: folder or Hub repository of AudioLDM2, or folder of a small model
            (``training/componet/small_files.py``), which holds its adapter; then ``adapter=FILE``, a released .ckpt or
            a file of the training command ``componet``, fields of `Answering`, and settings of guidance.
        device: device, in torch's words.
        task: task of the queries.

    Raises:
        CheckpointError: the weights cannot be loaded.
        MissingExtraError: diffusers or transformers is not installed.
        UsageError: no weights are named, or a setting is unknown or out of range.
    """
    place, *texts = argument.split(",")
    if not place:
        raise UsageError("the generator componet needs weights; write componet:DIR or componet:BASE,adapter=FILE")
    guidance, texts = split_guidance(texts, "componet")
    if guidance and task not in GUIDED_TASKS:
        known = " and ".join(one.name for one in GUIDED_TASKS)
        raise UsageError(
            f"componet: guidance is for {known}: an answer to {task.name} holds what is given, and a copy of it scores "
            "best; leave guide=… out"
        )
    settings = dict(_setting(text) for text in texts)
    base_path = Path(place).expanduser()
    adapter = Path(settings.pop("adapter", base_path / ADAPTER_FILE)).expanduser()
    if not adapter.is_file():
        raise CheckpointError(f"{adapter}: no such file; write componet:{place},adapter=FILE with the trained weights")
    from cocola_metric.training.componet import CompoNet, load_weights, open_base

    base = open_base(place, device)
    componet = CompoNet(base.pipeline.unet)
    load_weights(adapter, componet)
    weights = {"base": _identity(base_path, place), "adapter": file_sha256(adapter)}
    answering, guided = replace(Answering(), **settings), open_guided(guidance, device)
    row = row_name("CompoNet", released=adapter.suffix != ".safetensors", small=base.tags is not None)
    name = guided_name(row, guided)
    return CompoNetGenerator(base, componet.eval().requires_grad_(False), weights, answering, guided, name, task)


def _setting(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    kinds: dict[str, Any] = {"adapter": str} | {field.name: type(field.default) for field in fields(Answering)}
    if (name, value) == ("steps", "official"):
        return name, OFFICIAL_STEPS
    try:
        return name, kinds[name](value)
    except (KeyError, ValueError):
        known = ", ".join(f"{name}=…" for name in kinds)
        raise UsageError(f"componet: a setting must be one of {known}; got {text!r}") from None


def _identity(folder: Path, place: str) -> str:
    """Return the hashes of the weights in a folder; for a repository, its name, since its files are not at hand."""
    files = sorted(file for file in folder.rglob("*.safetensors") if file.name != ADAPTER_FILE)
    if not folder.is_dir():
        return place
    return " ".join(f"{file.relative_to(folder).as_posix()}:{file_sha256(file)[:16]}" for file in files)


def _given(query: Query, audio: ConditioningAudio, seconds: float) -> Samples:
    """Return m_Y; silence where Y is empty (unconditional generation)."""
    from cocola_metric.training.componet import SAMPLE_RATE

    return audio.conditioning(query, SAMPLE_RATE, seconds=seconds)


def _one_stem(query: Query, place: int) -> Query:
    """Return the question for one stem; where nothing is given, the stems before it are."""
    parts = query.accompaniment.parts
    given = query.conditioning
    if query.task is Task.UG:
        given = replace(given, parts=parts[:place])
    return replace(query, conditioning=given, accompaniment=replace(query.accompaniment, parts=(parts[place],)))
