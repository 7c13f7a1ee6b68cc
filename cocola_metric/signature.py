"""The signature string: everything that changes a score, and nothing else, so that a number can be cited."""

from importlib.metadata import version

HASH_DIGITS = 8


def signature(*, model: str, weights_sha256: str, mode: str, window: float, hop: float, sample_rate: int) -> str:
    """Return the recipe of a score in one line, after sacrebleu's custom; times are seconds, the rate is in Hz.

    >>> signature(
    ...     model="embedded", weights_sha256="3f9a1c2e77", mode="both", window=5.0, hop=2.5, sample_rate=16000
    ... ).rpartition("|")[0]
    'COCOLA|model:embedded|weights:3f9a1c2e|mode:both|win:5.0|hop:2.5|sr:16000'
    """
    parts = {
        "model": model,
        "weights": weights_sha256[:HASH_DIGITS],
        "mode": mode,
        "win": f"{round(window * sample_rate) / sample_rate}",
        "hop": f"{round(hop * sample_rate) / sample_rate}",
        "sr": f"{sample_rate}",
        "v": version("cocola-metric"),
    }
    return "|".join(["COCOLA", *(f"{key}:{value}" for key, value in parts.items())])
