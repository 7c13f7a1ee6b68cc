from .arrays import mix_stems
from .clips import content_sha256, mix_clips, read_clip
from .inputs import Audio, AudioInput, open_audio, read_audio
from .limits import LENGTH_TOLERANCE, MIN_SAMPLE_RATE, SAMPLE_RATE, AudioWarning
from .resampling import resample
from .windows import HOP, WINDOW, WindowPlan, is_silent, split_windows, stream_windows

__all__ = [
    "HOP",
    "LENGTH_TOLERANCE",
    "MIN_SAMPLE_RATE",
    "SAMPLE_RATE",
    "WINDOW",
    "Audio",
    "AudioInput",
    "AudioWarning",
    "WindowPlan",
    "content_sha256",
    "is_silent",
    "mix_clips",
    "mix_stems",
    "open_audio",
    "read_audio",
    "read_clip",
    "resample",
    "split_windows",
    "stream_windows",
]
