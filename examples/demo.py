"""Score the example songs: the keys or guitar of each with the rest of each; the diagonal is what belongs together."""

from pathlib import Path

from cocola_metric import CocolaScorer

SONGS = ("harbour", "lantern", "foundry", "tideline")


def stems(song: str) -> tuple[list[Path], Path]:
    """Return the stems to accompany, and the stem that accompanies them."""
    files = sorted((Path(__file__).parent / song).glob("*.flac"))
    accompaniment = next(file for file in files if file.stem in ("keys", "guitar"))
    return [file for file in files if file != accompaniment], accompaniment


def main() -> None:
    """Print the matrix of scores, conditioning by accompaniment, and what it says."""
    scorer = CocolaScorer.from_pretrained()
    conditionings, accompaniments = zip(*map(stems, SONGS), strict=True)
    scores = scorer.similarity_matrix(conditionings, accompaniments)
    print(
        f"\n{'the rest of':>12} | keys or guitar of" + "\n" + " " * 13 + "|" + "".join(f"{song:>10}" for song in SONGS)
    )
    for song, row in zip(SONGS, scores.tolist(), strict=True):
        print(f"{song:>12} |" + "".join(f"{score:10.2f}" for score in row))
    coherent = scores.diagonal().mean()
    mismatched = (scores.sum() - scores.trace()) / (scores.size - len(SONGS))
    print(f"\ncoherent pairs {coherent:.2f}, mismatched pairs {mismatched:.2f} on average")
    print(f"accuracy (Eq. 8, K = {len(SONGS)}): {scorer.accuracy(conditionings, accompaniments):.0%}")
    print(scorer.signature)
    print("What the embedded encoder hears, and what it does not: cocola_metric/weights/README.md")


if __name__ == "__main__":
    main()
