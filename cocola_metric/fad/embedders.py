"""What a Fréchet audio distance compares clips by: EMBEDDERS, one line each, and the COCOLA encoder as one of them."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from ..audio import SAMPLE_RATE
from ..errors import UsageError
from ..scorer import CocolaScorer
from .frechet import Array
from .pretrained import CLAP, ENCODEC, VGGISH, PackageEmbedder
from .timbre import TimbreEmbedder


class Embedder(Protocol):
    """Turns a clip into embeddings.

    Attributes:
        name: in `EMBEDDERS`, or your own.
        sample_rate: of the waveforms it takes, Hz.
        recipe: everything that changes its embeddings, weights by hash: "embedder:...|sr:...|axis:...".
        parallel: whether several threads may call `embed` at once.
    """

    name: str
    sample_rate: int
    recipe: str
    parallel: bool

    def embed(self, waveform: Tensor) -> Array:
        """Embed one clip.

        Shape:
            waveform: (L,)
            output: (n, D), one row for every stretch of time.

        Raises:
            AudioError: it gives no embeddings.
        """
        ...


class CocolaEmbedder:
    """The COCOLA encoder: one embedding for every window, silent ones too. Offline by default.

    Args:
        model: as for `CocolaScorer.from_pretrained`, like the others.
        options: mode, device, window, hop, batch_size, revision, token.
    """

    name = "cocola"
    sample_rate = SAMPLE_RATE
    parallel = True

    def __init__(self, model: str = "embedded", **options: Any) -> None:
        self._scorer = CocolaScorer.from_pretrained(model, **options)
        _, *parts, version = self._scorer.signature.split("|")  # COCOLA|model:...|...|v:...
        package = version.replace("v:", "package:cocola-metric-")
        self.recipe = "|".join(["embedder:cocola", *parts, "axis:time", package])

    def embed(self, waveform: Tensor) -> Array:
        """Embed one clip at 16 kHz, (L,) -> (windows, D)."""
        return self._scorer.embed(waveform, sample_rate=self.sample_rate).numpy().astype(np.float64)


EMBEDDERS: dict[str, Callable[..., Embedder]] = {
    "cocola": CocolaEmbedder,
    "clap": partial(PackageEmbedder, CLAP),
    "encodec": partial(PackageEmbedder, ENCODEC),
    "vggish": partial(PackageEmbedder, VGGISH),
    "timbre": TimbreEmbedder,
}


def new_embedder(name: str, **options: Any) -> Embedder:
    """Return an embedder by name, with its options.

    Raises:
        UsageError: there is none of that name.
        MissingExtraError: it needs the extra [fad].
        CheckpointError: its weights are not where they are looked for.
    """
    if name not in EMBEDDERS:
        raise UsageError(f"embedder {name!r} is none of {', '.join(EMBEDDERS)}")
    return EMBEDDERS[name](**options)
