"""What the original authors' recipe computes, call by call, with the libraries that it uses."""

import librosa
import numpy as np


def librosa_chain(waveform: np.ndarray) -> np.ndarray:
    """The original recipe of the two-channel front end, call by call."""
    spectrum = librosa.stft(waveform, n_fft=1024, hop_length=160, win_length=400)
    filterbank = librosa.filters.mel(sr=16000, n_fft=1024, n_mels=64, fmin=60.0, fmax=7800.0)
    return np.stack(
        [
            librosa.power_to_db(filterbank @ np.abs(part) ** 2, ref=np.max, top_db=80.0)
            for part in librosa.decompose.hpss(spectrum)
        ]
    )
