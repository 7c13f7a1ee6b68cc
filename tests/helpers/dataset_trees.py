"""Small copies of the public data sets as they lie on a disk: the same folders and files, 0.3 s each."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

SECONDS = 0.3


def write_noise(file: Path, *, rate: int = 16_000, seconds: float = SECONDS, channels: int = 1) -> Path:
    """Write white noise, another in each file."""
    rng = np.random.default_rng(list(file.name.encode()))
    file.parent.mkdir(parents=True, exist_ok=True)
    noise = np.clip(rng.normal(0, 0.1, (round(seconds * rate), channels)), -0.9, 0.9)
    if file.suffix == ".wav":
        soundfile.write(file, noise, rate, subtype="FLOAT")
    else:
        soundfile.write(file, noise, rate)
    return file


def stem_folder(root: Path, tracks: Sequence[str], stems: Sequence[str] = ("bass.flac", "drums.flac")) -> Path:
    """<root>/<track>/<stem>."""
    for track in tracks:
        for stem in stems:
            write_noise(root / track / stem)
    return root


def moisesdb(root: Path, ids: Sequence[str], provider: str = "moisesdb_v0.1") -> Path:
    """Each track: drums of two files, one of them in a second entry of the same stem name, and a guitar."""
    for number in ids:
        folder = root / provider / number
        listed = [
            {"id": "d1", "stemName": "drums", "tracks": [_moises_file(folder, "drums", "kick", "kick_drum")]},
            {"id": "d2", "stemName": "drums", "tracks": [_moises_file(folder, "drums", "over", "overheads")]},
            {"id": "g", "stemName": "guitar", "tracks": [_moises_file(folder, "guitar", "gtr", "acoustic_guitar")]},
        ]
        (folder / "data.json").write_text(json.dumps({"song": "A", "artist": "B", "genre": "rock", "stems": listed}))
    return root


def _moises_file(folder: Path, stem: str, name: str, kind: str) -> dict[str, object]:
    write_noise(folder / stem / f"{name}.wav", rate=44_100, channels=2)
    return {"id": name, "trackType": kind, "extension": "wav", "has_bleed": False}


def slakh_track(folder: Path, midi: str, rendered: Mapping[str, bool] | None = None) -> Path:
    """Three stems by default, of which S02 was not rendered."""
    rendered = {"S00": True, "S01": True, "S02": False} if rendered is None else rendered
    lines = [f"UUID: {midi}", "audio_dir: Volumes/elsewhere/stems", "normalized: true", "stems:"]
    for (name, audio), instrument in zip(rendered.items(), ("Guitar", "Drums", "Piano", "Bass"), strict=False):
        lines += [f"  {name}:", f"    audio_rendered: {str(audio).lower()}", f"    inst_class: {instrument}"]
        lines += ["    is_drum: false", f"    midi_saved: {str(audio).lower()}", "    program_num: 30"]
        if audio:
            write_noise(folder / "stems" / f"{name}.flac", rate=44_100)
    write_noise(folder / "mix.flac", rate=44_100)
    (folder / "metadata.yaml").write_text("\n".join([*lines, "target_peak: -1.0", ""]))
    return folder


def cocochorales_track(split_folder: Path, ensemble: str, number: int, last_voice: float = SECONDS) -> Path:
    """Four voices and the mix; the last voice may be shorter or the others longer."""
    folder = split_folder / f"{ensemble}_track{number:06d}"
    for voice, instrument in enumerate(("violin", "violin", "viola", "cello")):
        seconds = last_voice if voice == 3 else max(SECONDS, 1.5 if last_voice != SECONDS else 0.0)
        write_noise(folder / "stems_audio" / f"{voice}_{instrument}.wav", seconds=seconds)
    write_noise(folder / "mix.wav")
    (folder / "metadata.yaml").write_text(f"ensemble: {ensemble}\n")
    return folder


def musdb18hq(root: Path, train: Sequence[str], test: Sequence[str]) -> Path:
    """Four stems and the mixture, 44.1 kHz stereo."""
    for split, tracks in (("train", train), ("test", test)):
        for track in tracks:
            for name in ("bass", "drums", "mixture", "other", "vocals"):
                write_noise(root / split / track / f"{name}.wav", rate=44_100, channels=2)
    return root


def ensembleset(
    root: Path, pieces: Sequence[str], mixes: Sequence[str] = ("Close", "Mix_1"), home: str = "BBCSO_Ensembles"
) -> Path:
    """Each piece: two violins and a cello in every mix, and a mixture that somebody has added, 44.1 kHz stereo."""
    for piece in pieces:
        for mix in mixes:
            for name in ("Violin_1", "Violin_2", "Cello", "mix"):
                write_noise(root / home / piece / mix / f"{name}.flac", rate=44_100, channels=2)
    return root


def separated(root: Path, songs: Sequence[str], stems: Sequence[str], suffix: str = "wav") -> Path:
    """<root>/<song>/<stem>.<suffix>, 44.1 kHz stereo."""
    return stem_folder_of(root, songs, [f"{stem}.{suffix}" for stem in stems])


def stem_folder_of(root: Path, songs: Sequence[str], files: Sequence[str]) -> Path:
    """<root>/<song>/<file>, 44.1 kHz stereo."""
    for song in songs:
        for file in files:
            write_noise(root / song / file, rate=44_100, channels=2)
    return root
