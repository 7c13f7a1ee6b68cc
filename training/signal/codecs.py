"""Lossy codecs: what a file of MP3 or Ogg Vorbis leaves of a waveform."""

import io

import soundfile
import torch
from torch import Tensor

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.errors import MissingExtraError

CODECS = {"MP3": "MPEG_LAYER_III", "OGG": "VORBIS"}
"""Container -> coding, as soundfile names them; both decode to the length and the time of what was encoded."""
PEAK = 0.9


def code_lossily(waveform: Tensor, container: str, compression: float) -> Tensor:
    """Encode a waveform and decode it again; its level stays.

    Args:
        waveform: waveform at 16 kHz.
        container: key of `CODECS`.
        compression: strength from 0, large and good, to 0.99: about 60 to 20 kbit/s.

    Raises:
        MissingExtraError: libsndfile is too old for that codec.

    Shape:
        (L,) -> (L,).
    """
    if container not in soundfile.available_formats():
        raise MissingExtraError(
            f"libsndfile {soundfile.__libsndfile_version__} writes no {container}; pip install --upgrade soundfile, or "
            "set sampling.codec = 0"
        )
    gain = PEAK / waveform.abs().max().clamp(min=1e-9)
    file = io.BytesIO()
    samples = (waveform * gain).cpu().numpy()
    soundfile.write(
        file, samples, SAMPLE_RATE, format=container, subtype=CODECS[container], compression_level=compression
    )
    file.seek(0)
    decoded = torch.from_numpy(soundfile.read(file, dtype="float32")[0])[: len(samples)]
    padded = torch.nn.functional.pad(decoded, (0, len(samples) - len(decoded)))
    return padded.to(waveform.device) / gain
