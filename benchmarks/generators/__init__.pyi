from .folder import Generated, GeneratedFolder, accompaniment_of, mix_of, open_generated
from .generate import generate_answers
from .protocol import Setting
from .registry import GENERATORS, open_generator

__all__ = [
    "GENERATORS",
    "Generated",
    "GeneratedFolder",
    "Setting",
    "accompaniment_of",
    "generate_answers",
    "mix_of",
    "open_generated",
    "open_generator",
]
