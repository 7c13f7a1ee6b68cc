"""How much faster PHALAR is than the original's code path, in pairs: python -m tools.phalar_bench [--rounds 20].

Embeds one clip of 5 s in turn as the original does (a dense convolution, then the network in torch, layer by layer), in
torch, and without it, one thread each. Prints the CPU time of each, and the ratio to the original of the same round:
the median over the rounds, with the quartiles. Ratios of one round see the same load of the machine.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from cocola_metric.encoder import CocolaModel

HELPERS = Path(__file__).parents[1] / "tests" / "helpers"
WARM = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tools.phalar_bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="rounds of all ways in turn (default: 20)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        ways = _ways(Path(folder))
        times = np.array([[_seconds(way) for way in ways.values()] for _ in range(WARM + options.rounds)])[WARM:]
    print(f"{options.rounds} rounds, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors\n")
    print("| PHALAR, one clip of 5 s | CPU time, median | original / this, median of rounds [quartiles] |")
    print("|---|---:|---:|")
    for name, own in zip(ways, times.T, strict=True):
        low, middle, high = np.quantile(times[:, 0] / own, (0.25, 0.5, 0.75))
        print(f"| {name} | {1000 * np.median(own):.1f} ms | {middle:.2f} [{low:.2f}, {high:.2f}] |")


def _ways(folder: Path) -> dict[str, Callable[[], object]]:
    sys.path.insert(0, str(HELPERS))
    from phalar_peer import PHALAR, convolved_constant_q, dense_kernels, layer_by_layer, write_and_read_graph

    from cocola_metric.encoder.constant_q import unit_decibels

    clip = 0.1 * torch.randn(1, 80_000, generator=torch.Generator().manual_seed(0))
    model, original = CocolaModel(PHALAR).eval(), layer_by_layer(CocolaModel(PHALAR).eval())
    dense, without = dense_kernels(), write_and_read_graph(model, folder)
    return {
        "original": lambda: original.encoder.embed_features(unit_decibels(convolved_constant_q(clip, dense))[:, None]),
        "in torch": lambda: model.encoder(clip),
        "without torch": lambda: without(clip.numpy()),
    }


def _seconds(way: Callable[[], object]) -> float:
    start = time.process_time()
    way()
    return time.process_time() - start


if __name__ == "__main__":
    main()
