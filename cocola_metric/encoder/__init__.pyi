from .backbones import TrunkMaps
from .mel import LogMel
from .model import (
    MIN_SAMPLES,
    MODES,
    CocolaEncoder,
    CocolaModel,
    EncoderConfig,
    Mode,
    fold_batch_norm,
    select_mode,
)
from .similarity import Similarity

__all__ = [
    "MIN_SAMPLES",
    "MODES",
    "CocolaEncoder",
    "CocolaModel",
    "EncoderConfig",
    "LogMel",
    "Mode",
    "Similarity",
    "TrunkMaps",
    "fold_batch_norm",
    "select_mode",
]
