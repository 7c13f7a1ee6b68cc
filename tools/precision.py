"""How far both paths are from the original authors' code: python -m tools.precision [--vectors FOLDER].

Prints the largest deviations of features, embeddings and cross scores from the reference vectors as a Markdown table,
for the path with torch and for the one without (NumPy, ONNX Runtime). The vectors are those of the tests: three clips
in tests/data/parity, or a folder with mel/ and hps/ of all clips.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cocola_metric.arrays import to_numpy
from cocola_metric.checkpoints import find_encoder, open_graph, save
from cocola_metric.checkpoints.graph_export import write_graph
from cocola_metric.encoder import MODES, ArrayEncoder, select_mode

HELPERS = Path(__file__).parents[1] / "tests" / "helpers"
NEAR_LOUDEST = 40.0  # dB below the loudest band of a clip


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tools.precision", description=__doc__)
    parser.add_argument("--vectors", type=Path, help="folder with mel/ and hps/ (default: three clips of the tests)")
    options = parser.parse_args(arguments)
    sys.path.insert(0, str(HELPERS))
    print("| front end, mode | what | with torch | without torch |\n|---|---|---:|---:|")
    for kind in ("hps", "mel"):
        with tempfile.TemporaryDirectory() as scratch, torch.inference_mode():
            vectors = _read(kind, options.vectors, Path(scratch))
            _print_kind(kind, vectors, _without_torch(vectors.model, Path(scratch) / "folder"))


def _read(kind: str, folder: Path | None, scratch: Path) -> Any:
    from parity_vectors import SMALL, read_vectors
    from seeded_checkpoint import seeded_state, write_checkpoint

    if folder is not None:
        return read_vectors(folder / kind, folder / kind / "golden.npz", folder / kind / "reference.ckpt")
    checkpoint = write_checkpoint(scratch / f"{kind}.ckpt", kind, seeded_state(kind))
    return read_vectors(SMALL, SMALL / f"{kind}.npz", checkpoint)


def _print_kind(kind: str, vectors: Any, encoder: ArrayEncoder) -> None:
    stored = to_numpy(vectors.features)
    features = (
        to_numpy(vectors.model.encoder.front_end(vectors.waveforms)),
        encoder.front_end(to_numpy(vectors.waveforms)),
    )
    near = stored > stored.max((1, 2, 3), keepdims=True) - NEAR_LOUDEST
    _print(kind, "features, dB", *(np.abs(each - stored).max() for each in features))
    within = f"features within {NEAR_LOUDEST:.0f} dB of the loudest, dB"
    _print(kind, within, *(np.abs(each - stored)[near].max() for each in features))
    for mode in MODES if kind == "hps" else MODES[:1]:
        for source, images in (("stored features", (stored, stored)), ("audio", features)):
            _print_mode(f"{kind}, {mode}", source, vectors, encoder, images, mode)


def _print_mode(name: str, source: str, vectors: Any, encoder: ArrayEncoder, images: Any, mode: Any) -> None:
    """Print deviations of embeddings and cross scores from the images that either path made, or was given."""
    model = vectors.model
    embedded = model.encoder.embed_features(select_mode(torch.from_numpy(images[0]), mode))
    encoder.front_end = lambda _: images[1]  # type: ignore[assignment]
    sides = encoder(images[1], mode)
    expected, scores = to_numpy(vectors.embeddings[mode]), to_numpy(vectors.cross_scores[mode])
    embeddings = (to_numpy(embedded), sides.embeddings)
    _print(name, f"embeddings, from {source}", *(np.abs(each - expected).max() for each in embeddings))
    crossed = to_numpy(model.similarity.matrix(embedded, embedded)), sides.left @ sides.right.T
    reach = np.abs(scores).max()
    _print(
        name, f"cross scores of up to {reach:.0f}, from {source}", *(np.abs(each - scores).max() for each in crossed)
    )


def _without_torch(model: Any, folder: Path) -> ArrayEncoder:
    save(model, folder)
    if not write_graph(model.config, folder):
        sys.exit("no graph could be written: pip install 'cocola-metric[export]'")
    opened = open_graph(find_encoder(folder))
    assert opened is not None
    return opened.encoder


def _print(name: str, what: str, with_torch: float, without: float) -> None:
    print(f"| {name} | {what} | {with_torch:.1e} | {without:.1e} |", flush=True)


if __name__ == "__main__":
    main()
