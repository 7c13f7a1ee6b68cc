"""CompoNet as a generator of Table 3: it hears the conditioning as one mix, and the tags of both sides."""

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

from ..queries import ConditioningAudio, Query
from .content import Content
from .folder import Generated

OFFICIAL_STEPS = 150
ADAPTER_FILE = "componet.safetensors"


@dataclass(frozen=True)
class Answering:
    """How CompoNet answers.

    Attributes:
        steps: of DDIM; "official" stands for 150, as in the released code's example.
        seconds: that are heard and made, from the query's start on; 0, the query's own. The paper trained on 10.24 s
            and answers queries of about 6 s (MUSDB18-HQ).
        gain: by how much the model heard music louder in training than queries have it; the answer is made softer by
            as much. 2 for the released MUSDB18-HQ checkpoint: left and right were summed, here they are averaged.
        posterior: 1 draws w from the VAE's posterior, as the released code does; 0 takes its mode.
        guidance: scale of COCOLA guidance (`training.componet_guidance`); 0, none.
        encoder: of COCOLA guidance, as for ``checkpoints.load``. Not the one that is to judge the answers.
        bfloat16: 1 computes in bfloat16.
    """

    steps: int = 200
    seconds: float = 0.0
    gain: float = 1.0
    posterior: int = 0
    guidance: float = 0.0
    encoder: str = "embedded"
    bfloat16: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.seconds < 0 or self.gain <= 0 or self.guidance < 0:
            raise UsageError("componet: steps is 1 or more, gain above 0, seconds and guidance 0 or more")


class CompoNetGenerator:
    """CompoNet on AudioLDM2, or on a small model of its shape.

    Attributes:
        base: pipeline and text encoders, where it computes.
        componet: what predicts the noise.
        weights: identity of base and adapter.
        answering: how it answers.
    """

    name = "CompoNet"
    content: Content = "accompaniment"

    def __init__(
        self, base: Any, componet: Any, weights: Mapping[str, str], answering: Answering, encoder: Any = None
    ) -> None:
        """Take what answers.

        Args:
            base: pipeline and text encoders.
            componet: what predicts the noise.
            weights: identity of all weights.
            answering: how.
            encoder: a `CocolaModel` for guidance.
        """
        self.base, self.componet, self.weights, self.answering = base, componet, dict(weights), answering
        self.encoder = encoder

    def unsupported(self, query: Query) -> str | None:
        """Say whether the model does not know a tag, or nothing is asked for."""
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
        """Depend on weights, sampling and all that is heard of the conditioning."""
        heard = audio.fingerprint(query, seconds=self._seconds(query)) if query.conditioning.parts else ""
        return {"weights": self.weights, "answering": asdict(self.answering), "conditioning": heard}

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Draw one answer to each query at 16 kHz, those of one length together."""
        order = sorted(range(len(queries)), key=lambda place: self._seconds(queries[place]))
        answers: dict[int, Generated] = {}
        for seconds, group in groupby(order, key=lambda place: self._seconds(queries[place])):
            places = list(group)
            made = self._generate([queries[place] for place in places], audio, seconds, rng)
            answers |= dict(zip(places, made, strict=True))
        return [answers[place] for place in range(len(queries))]

    def _seconds(self, query: Query) -> float:
        return self.answering.seconds or query.seconds

    def _generate(
        self, queries: Sequence[Query], audio: ConditioningAudio, seconds: float, rng: np.random.Generator
    ) -> list[Generated]:
        from cocola_metric.training.componet import ROWS, SAMPLE_RATE, decode_audio, encode_audio, generate_latents

        vae, how = self.base.pipeline.vae, self.answering
        device = next(vae.parameters()).device
        length = round(seconds * SAMPLE_RATE)
        heard = [_given(query, audio, SAMPLE_RATE, seconds) for query in queries]
        given = torch.from_numpy(np.stack(heard)).to(device) * how.gain  # (B, L)
        seeds = [int(seed) for seed in rng.integers(2**63, size=2)]
        drawn = torch.Generator(device).manual_seed(seeds[0]) if how.posterior else None
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bool(how.bfloat16)):
            condition = encode_audio(vae, given, generator=drawn, multiple=ROWS).float()  # as trained; DDIM needs it
            noise = torch.randn(condition.shape, generator=torch.Generator().manual_seed(seeds[1])).to(condition)
            prompts = [query.prompt for query in queries]
            predictor = self._predictor(given / how.gain)
            latents = generate_latents(self.base, predictor, prompts, condition, noise, steps=how.steps)
            waveforms = decode_audio(vae, self.base.pipeline.vocoder, latents.float(), samples=length)
        return [Generated(samples, SAMPLE_RATE) for samples in (waveforms / how.gain).float().cpu().numpy()]

    def _predictor(self, given: Tensor) -> Any:
        """Return what predicts the noise, towards what fits the given mixes (B, L) where guidance is asked for."""
        if self.encoder is None:
            return self.componet
        from cocola_metric.training.componet import Guided

        return Guided(self.componet, self.base.pipeline, self.encoder, given, self.answering.guidance)


def make_componet(argument: str, device: str = "cpu") -> CompoNetGenerator:
    """Make the generator from what follows the colon in "componet:BASE,adapter=FILE,steps=200".

    Args:
        argument: folder or Hub repository of AudioLDM2, or a folder of ``training.componet_small``, which holds its
            adapter; then ``adapter=FILE``, a released .ckpt or a file of ``training.train_componet``, and fields of
            `Answering`.
        device: as torch names it.

    Raises:
        CheckpointError: the weights cannot be loaded.
        MissingExtraError: diffusers or transformers is not installed.
        UsageError: no weights are named, or a setting is no good.
    """
    place, *texts = argument.split(",")
    if not place:
        raise UsageError("the generator componet needs a base: write componet:DIR or componet:BASE,adapter=FILE")
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
    answering, encoder = replace(Answering(), **settings), None
    if answering.guidance:
        from cocola_metric import checkpoints

        loaded = checkpoints.load(answering.encoder)
        encoder, weights["encoder"] = loaded.model.to(device).requires_grad_(False), loaded.sha256
    return CompoNetGenerator(base, componet.eval().requires_grad_(False), weights, answering, encoder)


def _setting(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    kinds: dict[str, Any] = {"adapter": str} | {field.name: type(field.default) for field in fields(Answering)}
    if (name, value) == ("steps", "official"):
        return name, OFFICIAL_STEPS
    try:
        return name, kinds[name](value)
    except (KeyError, ValueError):
        known = ", ".join(f"{name}=…" for name in kinds)
        raise UsageError(f"componet: {text!r} is no setting; write {known}") from None


def _identity(folder: Path, place: str) -> str:
    """Return the hashes of the weights in a folder; of a repository its name, which is all that is known here."""
    files = sorted(file for file in folder.rglob("*.safetensors") if file.name != ADAPTER_FILE)
    if not folder.is_dir():
        return place
    return " ".join(f"{file.relative_to(folder).as_posix()}:{file_sha256(file)[:16]}" for file in files)


def _given(query: Query, audio: ConditioningAudio, rate: int, seconds: float) -> NDArray[np.float32]:
    """Return m_Y; silence where Y is empty (unconditional generation)."""
    if not query.conditioning.parts:
        return np.zeros(round(seconds * rate), np.float32)
    return audio.conditioning(query, rate, seconds=seconds)
