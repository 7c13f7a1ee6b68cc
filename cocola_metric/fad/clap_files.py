"""The trained weights of CLAP that frechet-audio-distance can load."""

CLAP_FILES: dict[str, str] = {
    "630k-audioset": "630k-audioset-best.pt",
    "630k": "630k-best.pt",
    "music_audioset": "music_audioset_epoch_15_esc_90.14.pt",
    "music_speech": "music_speech_epoch_15_esc_89.25.pt",
    "music_speech_audioset": "music_speech_audioset_epoch_15_esc_89.98.pt",
}
"""Name of the submodel -> file; the first is the default."""
