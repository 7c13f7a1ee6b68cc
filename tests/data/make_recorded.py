"""Make the excerpts in recorded/: twelve seconds of four recorded songs under CC0, and a bare MP3.

Run `python tests/data/make_recorded.py SONGS`, with the folder of docs/recorded_songs.md. Stems are mono at 16 kHz in
Ogg Vorbis; the container draws a serial number, so the bytes differ from run to run and the samples do not. The MP3 is
the first frames of a file as they are.
"""

import sys
from pathlib import Path

import soundfile

from cocola_metric.audio import read_audio

RATE, SECONDS = 16_000, 12
QUALITY = 0.85  # of libsndfile's scale of compression, where 1 is smallest
EXCERPTS = {  # song -> start in seconds, stems
    "mdn_outfoxing": (21, ("bassguitar", "drums", "horns", "leadguitar")),
    "sek_caesium": (111, ("bgvox_main", "garage_beat", "minilogue_synth")),
    "sek_hydrogen": (227, ("bgvox_harmony", "main_drums", "minilogue_synth")),
    "sek_rubidium": (187, ("bgvox", "drums_main", "minilogue_synth")),
}
BARE_MP3 = "mdn_outfoxing/drums.mp3"
BARE_BYTES = 59_894  # so long are 267 frames


def main(songs: Path) -> None:
    """Write the excerpts."""
    out = Path(__file__).parent / "recorded"
    for song, (start, stems) in EXCERPTS.items():
        (out / song).mkdir(parents=True, exist_ok=True)
        for stem in stems:
            (source,) = (songs / song).glob(f"{stem}.*")
            samples = read_audio(source)[start * RATE : (start + SECONDS) * RATE]
            file = out / song / f"{stem}.ogg"
            soundfile.write(file, samples, RATE, format="OGG", subtype="VORBIS", compression_level=QUALITY)
    (out / "bare.mp3").write_bytes((songs / BARE_MP3).read_bytes()[:BARE_BYTES])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
