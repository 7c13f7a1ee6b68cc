"""Mash-ups: which parts of which songs fit each other? `python examples/mashups.py FOLDER` of SONG/STEM files."""

import argparse
from pathlib import Path

import numpy as np
import soundfile

from cocola_metric import CocolaScorer
from cocola_metric.audio import SAMPLE_RATE, read_audio

GROUND = ("drums", "bass")
HERE = Path(__file__).parent


def find_mashups(folder: Path, ground: tuple[str, ...] = GROUND) -> list[tuple[float, list[Path], Path]]:
    """Return every pair of one song's ground and another song's part, best first: score, stems of the ground, part.

    Scores say whether the two fit as they are. Songs of other tempos and keys fit better after a time stretch and a
    transposition, which is left to an audio editor.

    Args:
        folder: folder with a folder of stems per song.
        ground: names of the stems that the other song's part is laid over.
    """
    songs = {song: sorted(song.glob("*.flac")) + sorted(song.glob("*.wav")) for song in sorted(folder.glob("*/"))}
    grounds = {song: [stem for stem in stems if stem.stem in ground] for song, stems in songs.items()}
    grounds = {song: stems for song, stems in grounds.items() if stems}
    parts = [stem for song in grounds for stem in songs[song] if stem.stem not in ground]
    scores = CocolaScorer.from_pretrained().similarity_matrix(list(grounds.values()), parts)
    pairs = [
        (float(scores[row, column]), stems, part)
        for row, (song, stems) in enumerate(grounds.items())
        for column, part in enumerate(parts)
        if part.parent != song
    ]
    return sorted(pairs, key=lambda pair: -pair[0])


def write_mashup(file: Path, stems: list[Path], part: Path) -> None:
    """Write the sum of a ground and a part, in the length of the shorter, at 16 kHz."""
    sides = [read_audio(stems), read_audio(part)]
    length = min(map(len, sides))
    mix = sum(np.asarray(side[:length]) for side in sides)
    soundfile.write(file, mix / max(1.0, np.abs(mix).max()), SAMPLE_RATE)


def main(arguments: list[str] | None = None) -> None:
    """Print the best mash-ups, best first, and write the first one to a file if it is asked for."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE, help="folder of SONG/STEM files")
    parser.add_argument("--top", type=int, default=5)
    parser.add_argument("--out", type=Path, help="WAV file for the best one")
    options = parser.parse_args(arguments)
    found = find_mashups(options.folder)
    for score, stems, part in found[: options.top]:
        print(f"{score:8.2f}  {part.parent.name}/{part.stem} over {stems[0].parent.name}")
    if options.out:
        write_mashup(options.out, *found[0][1:])


if __name__ == "__main__":
    main()
