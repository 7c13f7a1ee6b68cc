from .checkpoint import load_msdm, msdm_sha256, read_config, read_safetensors
from .network import MSDM, MSDMConfig
from .noise import Noise, draw_noise
from .preconditioning import denoising_losses, precondition
from .stems import DRAWS_PER_WINDOW, Resampler, StemTrack, WindowPlaces, open_stems
from .unet import UNet, UNetConfig

__all__ = [
    "DRAWS_PER_WINDOW",
    "MSDM",
    "MSDMConfig",
    "Noise",
    "Resampler",
    "StemTrack",
    "UNet",
    "UNetConfig",
    "WindowPlaces",
    "denoising_losses",
    "draw_noise",
    "load_msdm",
    "msdm_sha256",
    "open_stems",
    "precondition",
    "read_config",
    "read_safetensors",
]
