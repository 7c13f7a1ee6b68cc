from .base import generate_latents, open_base
from .checkpoint import load_weights
from .latents import ROWS, SAMPLE_RATE, decode_audio, encode_audio
from .network import CompoNet
from .predictions import as_prediction, split_prediction
from .prompts import prompt
from .tags import SLOTS
from .vocoder import GriffinLim

__all__ = [
    "ROWS",
    "SAMPLE_RATE",
    "SLOTS",
    "CompoNet",
    "GriffinLim",
    "as_prediction",
    "decode_audio",
    "encode_audio",
    "generate_latents",
    "load_weights",
    "open_base",
    "prompt",
    "split_prediction",
]
