"""Sample retrieval: which loops of a folder fit a piece of music? `python examples/retrieval.py MIX FOLDER`."""

import argparse
from pathlib import Path

from cocola_metric import CocolaScorer

AUDIO = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")
HERE = Path(__file__).parent


def retrieve(mix: list[Path], folder: Path, *, top: int, cache: Path | None = None) -> list[tuple[Path, float]]:
    """Return the audio files of a folder that fit a mix best, with their scores.

    Args:
        mix: stems of the mix, which are summed; they are no candidates themselves.
        folder: folder of the candidates, at any depth.
        top: number of candidates to return.
        cache: folder that keeps the embeddings; the second mix is then compared without reading a loop again.
    """
    own = {file.resolve() for file in mix}
    candidates = [file for file in sorted(folder.rglob("*")) if file.suffix in AUDIO and file.resolve() not in own]
    scorer = CocolaScorer.from_pretrained(cache=cache)
    ranked = scorer.rank(mix, candidates)
    return [(candidates[entry.index], entry.score) for entry in ranked[:top]]


def main(arguments: list[str] | None = None) -> None:
    """Print the best candidates, best first; without arguments, those of the example songs for drums of harbour."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("mix", nargs="?", type=Path, default=HERE / "harbour" / "drums.flac")
    parser.add_argument("folder", nargs="?", type=Path, default=HERE)
    parser.add_argument("--top", type=int, default=5)
    parser.add_argument("--cache", type=Path, help="folder that keeps the embeddings of the loops")
    options = parser.parse_args(arguments)
    for file, score in retrieve([options.mix], options.folder, top=options.top, cache=options.cache):
        print(f"{score:8.2f}  {file}")


if __name__ == "__main__":
    main()
