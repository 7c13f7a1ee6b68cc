from .mel import LogMel
from .model import (
    MIN_SAMPLES,
    MODES,
    CocolaEncoder,
    CocolaModel,
    EncoderConfig,
    Mode,
    Similarity,
    fold_batch_norm,
    select_mode,
)

__all__ = [
    "MIN_SAMPLES",
    "MODES",
    "CocolaEncoder",
    "CocolaModel",
    "EncoderConfig",
    "LogMel",
    "Mode",
    "Similarity",
    "fold_batch_norm",
    "select_mode",
]
