"""References of scores that a test knows: coherent pairs around 10, mismatched ones around 2."""

import numpy as np

from cocola_metric.reading import LEVELS, Lengths, PairScores, ScoreReference

WEIGHTS = "0123456789abcdef" * 4


def known_reference(weights_sha256: str = WEIGHTS, modes: tuple[str, ...] = ("both",)) -> ScoreReference:
    """Coherent scores go evenly from 6 to 14, mismatched ones from -2 to 6; those of longer pairs half as far."""

    def length(windows: int, spread: float) -> PairScores:
        coherent, mismatched = (tuple(np.interp(LEVELS, (0, 100), (mean - spread, mean + spread))) for mean in (10, 2))
        scores, likelihoods = tuple(np.linspace(6 - spread, 6 + spread, 5)), (0.01, 0.2, 0.5, 0.8, 0.99)
        return PairScores(windows, 100, coherent, mismatched, scores, likelihoods)

    parts = tuple(
        Lengths(mode, symmetric, 10.0, 2.0, (length(1, 4.0), length(4, 2.0)))
        for mode in modes
        for symmetric in (False, True)
    )
    return ScoreReference(weights_sha256, 5.0, 2.5, "evenly spread", {"made up": 2}, parts, {"other": 0.05})
