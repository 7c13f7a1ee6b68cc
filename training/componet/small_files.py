"""A small model of AudioLDM2's shape as a folder: configuration and float16 weights of VAE, U-Net and text encoder."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from cocola_metric.errors import CheckpointError
from cocola_metric.whole_files import make_folder, write_text_whole

from ..runs import save_tensors
from .pipeline import SCHEDULER, require_diffusers
from .predictions import VELOCITY
from .tags import TagEncoder
from .unet import build_unet
from .vocoder import GriffinLim

CONFIG_FILE, ADAPTER_FILE = "small.json", "componet.safetensors"
PARTS = {"vae": "vae.safetensors", "unet": "unet.safetensors", "text_encoder_2": "tags.safetensors"}
LATENT_CHANNELS = 8


@dataclass(frozen=True)
class SmallShape:
    """Widths and depths of the small model; strides, mels and latents are AudioLDM2's.

    Attributes:
        vae_channels: widths of the VAE's levels; three levels make it 4 times shorter.
        vae_layers: number of ResNets per level of the VAE.
        unet_channels: widths of the U-Net's levels; attention is in the deepest one.
        unet_layers: number of ResNets per level of the U-Net.
        heads: number of heads of every attention.
        text_width: width of the embeddings of tags.
        norm_groups: number of groups of the group norms.
        prediction: output of the U-Net: "epsilon", as of AudioLDM2's, or "v_prediction", see ``predictions.py``.
    """

    vae_channels: tuple[int, ...] = (16, 32, 64)
    vae_layers: int = 1
    unet_channels: tuple[int, ...] = (64, 96, 128)
    unet_layers: tuple[int, ...] = (1, 1, 1)
    heads: int = 4
    text_width: int = 64
    norm_groups: int = 8
    prediction: str = VELOCITY


def build_vae(shape: SmallShape) -> Any:
    """Return an untrained VAE, like AudioLDM2's except for its widths, a scaling factor of 1 and no attention."""
    levels = len(shape.vae_channels)
    return require_diffusers().AutoencoderKL(
        in_channels=1,
        out_channels=1,
        latent_channels=LATENT_CHANNELS,
        block_out_channels=shape.vae_channels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=shape.vae_layers,
        norm_num_groups=shape.norm_groups,
        mid_block_add_attention=False,
        scaling_factor=1.0,
    )


def build_small_unet(shape: SmallShape) -> nn.Module:
    """Return an untrained U-Net that attends to the tags in its deepest level."""
    plain = len(shape.unet_channels) - 1
    return build_unet(
        {
            "sample_size": 128,
            "in_channels": LATENT_CHANNELS,
            "out_channels": LATENT_CHANNELS,
            "block_out_channels": shape.unet_channels,
            "layers_per_block": shape.unet_layers,
            "down_block_types": (*["DownBlock2D"] * plain, "CrossAttnDownBlock2D"),
            "up_block_types": ("UpBlock2D",) * (plain + 1),
            "cross_attention_dim": ((shape.text_width,),) * (plain + 1),
            "transformer_layers_per_block": 1,
            "attention_head_dim": shape.heads,
            "norm_num_groups": shape.norm_groups,
        }
    )


def build_small_pipeline(shape: SmallShape, vocabulary: tuple[str, ...]) -> Any:
    """Return an untrained pipeline: the class of AudioLDM2, with a VAE, a U-Net, `TagEncoder` and `GriffinLim`."""
    diffusers = require_diffusers()
    tags = TagEncoder(vocabulary, shape.text_width)
    pipeline = diffusers.AudioLDM2Pipeline(
        vae=build_vae(shape),
        text_encoder=None,
        text_encoder_2=tags,
        projection_model=None,
        language_model=tags,
        tokenizer=None,
        tokenizer_2=None,
        feature_extractor=None,
        unet=build_small_unet(shape),
        scheduler=diffusers.DDIMScheduler(**SCHEDULER | {"prediction_type": shape.prediction}),
        vocoder=GriffinLim(),
    )
    for part in (pipeline.vae, pipeline.unet, pipeline.text_encoder_2):
        part.eval().requires_grad_(False)
    return pipeline


def is_small_pipeline(folder: Path) -> bool:
    """Return whether a folder holds a small model."""
    return (folder / CONFIG_FILE).is_file()


def save_small_pipeline(folder: Path, shape: SmallShape, pipeline: Any) -> None:
    """Write a folder that `load_small_pipeline` opens, the weights in float16."""
    make_folder(folder)
    for part, file in PARTS.items():
        save_tensors(folder / file, getattr(pipeline, part).state_dict(), dtype=torch.float16)
    config = {"shape": asdict(shape), "vocabulary": pipeline.text_encoder_2.vocabulary}
    write_text_whole(folder / CONFIG_FILE, json.dumps(config, indent=2) + "\n")  # last: a folder with it is whole


def load_small_pipeline(folder: Path) -> Any:
    """Open a folder that `save_small_pipeline` wrote, in float32, with no gradients.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    try:
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        shape: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in config["shape"].items()
        }
        pipeline = build_small_pipeline(SmallShape(**shape), tuple(config["vocabulary"]))
        for part, file in PARTS.items():
            getattr(pipeline, part).load_state_dict(load_file(folder / file))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: no small model ({error}); train it again, or copy it again") from error
    return pipeline
