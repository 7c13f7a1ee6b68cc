from .array_encoder import IMAGES, INPUT, OUTPUTS, ArrayEncoder, Sides
from .backbones import PhasorEfficientNet, PlacedEfficientNet, TrunkMaps
from .constant_q import constant_q_kernels
from .front_end_modules import FrontEndModule
from .front_ends import FRONT_ENDS, MIN_SAMPLES, ArrayFrontEnd, select_mode
from .model import CocolaEncoder, CocolaModel, EncoderConfig, fold_batch_norm
from .modes import MODES, Mode
from .phasor_sizes import VERDICT_WIDTH, PhasorSizes, real_width
from .phasors import turn_embeddings
from .similarity import Similarity
from .tensor_encoder import TensorEncoder, one_thread_per_operation

__all__ = [
    "FRONT_ENDS",
    "IMAGES",
    "INPUT",
    "MIN_SAMPLES",
    "MODES",
    "OUTPUTS",
    "VERDICT_WIDTH",
    "ArrayEncoder",
    "ArrayFrontEnd",
    "CocolaEncoder",
    "CocolaModel",
    "EncoderConfig",
    "FrontEndModule",
    "Mode",
    "PhasorEfficientNet",
    "PhasorSizes",
    "PlacedEfficientNet",
    "Sides",
    "Similarity",
    "TensorEncoder",
    "TrunkMaps",
    "constant_q_kernels",
    "fold_batch_norm",
    "one_thread_per_operation",
    "real_width",
    "select_mode",
    "turn_embeddings",
]
