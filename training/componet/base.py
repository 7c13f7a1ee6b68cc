"""The base of CompoNet, AudioLDM2 or a small model of its shape, and sampling with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .network import conditioned
from .pipeline import load_pipeline
from .prompt_encoder import PromptEncoder
from .small_files import is_small_pipeline, load_small_pipeline
from .unet import Text

STEPS = 200


@dataclass(frozen=True)
class Base:
    """A pipeline and its text encoders.

    Attributes:
        pipeline: AudioLDM2 pipeline of diffusers.
        texts: encoder of prompts.
        tags: tags that it knows; None if it takes any text.
    """

    pipeline: Any
    texts: Callable[[Sequence[str]], Text]
    tags: frozenset[str] | None = None


def open_base(source: str | Path, device: str | torch.device = "cpu", *, together: bool = False) -> Base:
    """Open a folder or Hub repository of AudioLDM2, or a folder of a small model (`small_files`).

    Args:
        source: folder or repository.
        device: device that computes.
        together: choice of encoding prompts in one batch, as for `PromptEncoder`.

    Raises:
        MissingExtraError: diffusers or transformers is not installed.
        CheckpointError: the source does not exist, or is damaged.
    """
    folder = Path(source).expanduser()
    if is_small_pipeline(folder):
        small = load_small_pipeline(folder).to(device)
        small.set_progress_bar_config(disable=True)
        return Base(small, small.text_encoder_2, frozenset(small.text_encoder_2.vocabulary))
    pipeline = load_pipeline(folder if folder.is_dir() else source).to(device)
    pipeline.set_progress_bar_config(disable=True)
    for part in (pipeline.vae, pipeline.unet, pipeline.vocoder):
        part.eval().requires_grad_(False)
    return Base(pipeline, PromptEncoder(pipeline, together=together))


@torch.no_grad()
def generate_latents(
    base: Base, componet: Any, prompts: Sequence[str], condition: Tensor, noise: Tensor, *, steps: int = STEPS
) -> Tensor:
    """Sample z for input mixes by DDIM: no classifier-free guidance, since no prompt was dropped in training.

    Args:
        base: base of ``componet``.
        componet: network that predicts the noise: a `CompoNet`, or an object with the same call.
        prompts: prompts, one for each input mix.
        condition: latents w of the input mixes.
        noise: latents z_T, pure noise.
        steps: number of steps of DDIM; the released code's example takes 150, which start at t = 895.

    Shape:
        B prompts, (B, 8, T, 16), (B, 8, T, 16) -> (B, 8, T, 16).
    """
    text = base.texts(prompts)
    with conditioned(base.pipeline, componet, condition) as pipeline:
        latents: Tensor = pipeline(
            prompt_embeds=text.sentence,
            attention_mask=text.mask,
            generated_prompt_embeds=text.generated,
            latents=noise,
            num_inference_steps=steps,
            guidance_scale=1.0,
            output_type="latent",
        ).audios
    return latents
