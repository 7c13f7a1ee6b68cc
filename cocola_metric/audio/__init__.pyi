from .arrays import is_array, mix_stems
from .cancelling import cancelling_channels
from .clips import content_sha256, mix_clips, read_clip
from .containers.ogg import without_serial_number
from .decoding import AudioFile, open_file
from .folders import AUDIO_SUFFIXES, existing_path, is_mixture, list_audio, list_remote_audio, plain_name
from .inputs import Audio, AudioInput, open_audio, read_audio
from .limits import LENGTH_TOLERANCE, MIN_SAMPLE_RATE, SAMPLE_RATE, AudioWarning
from .resampling import resample, resample_between
from .windows import HOP, WINDOW, WindowPlan, is_silent, split_windows, stream_windows, warn_of_short_audio

__all__ = [
    "AUDIO_SUFFIXES",
    "HOP",
    "LENGTH_TOLERANCE",
    "MIN_SAMPLE_RATE",
    "SAMPLE_RATE",
    "WINDOW",
    "Audio",
    "AudioFile",
    "AudioInput",
    "AudioWarning",
    "WindowPlan",
    "cancelling_channels",
    "content_sha256",
    "existing_path",
    "is_array",
    "is_mixture",
    "is_silent",
    "list_audio",
    "list_remote_audio",
    "mix_clips",
    "mix_stems",
    "open_audio",
    "open_file",
    "plain_name",
    "read_audio",
    "read_clip",
    "resample",
    "resample_between",
    "split_windows",
    "stream_windows",
    "warn_of_short_audio",
    "without_serial_number",
]
