"""How far the family of 2026 is from its stored embeddings: python -m tools.family_precision --vectors FOLDER.

Prints the largest deviations of embeddings from the stored ones, all from the stored features: PHALAR, and the authors'
COCOLA of 2026 in every mode; with torch, without it, and the same network in float64. Where the package
efficientnet_pytorch is installed, the backbone of the original is run as well.
"""

import argparse
import copy
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cocola_metric.checkpoints import no_safe_globals_but
from cocola_metric.encoder import MODES, select_mode

HELPERS = Path(__file__).parents[1] / "tests" / "helpers"
BACKBONE = "encoder.backbone.model."
SILENCE = "silence"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tools.family_precision", description=__doc__)
    parser.add_argument("--vectors", type=Path, required=True, help="folder with phalar/, cocola_2026/ and hps/")
    parser.add_argument("--threads", type=int, default=1, help="threads of an operation of torch (default: 1)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    sys.path.insert(0, str(HELPERS))
    from phalar_vectors import read_full_2026

    print(f"Largest deviation from the stored embeddings, {options.threads} thread(s):\n")
    print("| encoder, mode | clips | with torch | without torch | float64 | original's backbone |")
    print("|---|---|---:|---:|---:|---:|")
    with torch.inference_mode():
        _print_phalar(read_full_2026("phalar", options.vectors))
        _print_cocola(read_full_2026("cocola_2026", options.vectors))


def _print_phalar(vectors: Any) -> None:
    """Print two rows: the embedding of silence is rounding that norms magnify."""
    features, stored = vectors.tensor("features"), vectors.tensor("embeddings")
    ways = (vectors.model.encoder.embed_features(features), _without_torch(vectors.model, features, "both"))
    silent = torch.tensor([name == SILENCE for name in vectors.names])
    for clips, rows in (("all but silence", ~silent), (SILENCE, silent)):
        _print("phalar", clips, [(found - stored)[rows] for found in ways])


def _print_cocola(vectors: Any) -> None:
    exact, original = copy.deepcopy(vectors.model).double().encoder, _original(vectors.model, vectors.checkpoint)
    for mode in MODES:
        features, stored = vectors.tensor("features"), vectors.tensor(f"embeddings_{mode}")
        ways = [
            vectors.model.encoder.embed_features(features, mode),
            _without_torch(vectors.model, features, mode),
            exact.embed_features(features.double(), mode),
        ]
        if original is not None:
            ways.append(original(select_mode(features, mode)))
        _print(f"cocola_2026, {mode}", "all", [found - stored for found in ways])


def _without_torch(model: Any, features: Tensor, mode: Any) -> Tensor:
    from phalar_peer import write_and_read_graph

    with tempfile.TemporaryDirectory() as folder:
        encoder = write_and_read_graph(model, Path(folder))
    encoder.front_end = lambda images: images  # type: ignore[assignment]
    return torch.from_numpy(encoder(np.ascontiguousarray(features.numpy()), mode).embeddings)


def _original(model: Any, checkpoint: Path) -> Callable[[Tensor], Tensor] | None:
    """Return the encoder with the original's own backbone; None without efficientnet_pytorch."""
    try:
        from efficientnet_pytorch import EfficientNet  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        return None
    with no_safe_globals_but(checkpoint):
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    backbone: nn.Module = EfficientNet.from_name("efficientnet-b0", include_top=False, in_channels=2).eval()
    backbone.load_state_dict({key.removeprefix(BACKBONE): state[key] for key in state if key.startswith(BACKBONE)})
    return lambda features: model.encoder.project(backbone(features).flatten(1))


def _print(name: str, clips: str, deviations: Sequence[Tensor]) -> None:
    cells = [f"{deviation.abs().max():.1e}" for deviation in deviations] + ["-"] * (4 - len(deviations))
    print(f"| {name} | {clips} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
