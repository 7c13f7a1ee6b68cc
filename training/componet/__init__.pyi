from .base import generate_latents, open_base
from .checkpoint import load_weights
from .guidance import Guided
from .latents import ROWS, SAMPLE_RATE, decode_audio, encode_audio
from .network import CompoNet
from .prompts import prompt
from .tags import SLOTS

__all__ = [
    "ROWS",
    "SAMPLE_RATE",
    "SLOTS",
    "CompoNet",
    "Guided",
    "decode_audio",
    "encode_audio",
    "generate_latents",
    "load_weights",
    "open_base",
    "prompt",
]
