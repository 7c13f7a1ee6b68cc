"""What a Fréchet audio distance compares clips by: EMBEDDERS, one line each, imported when it is asked for."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import UsageError

if TYPE_CHECKING:  # --help lists the names
    from ..arrays import AnyArray
    from .frechet import Array


class Embedder(Protocol):
    """Turns a clip into embeddings.

    Attributes:
        name: key of `EMBEDDERS`, or a name of your own.
        sample_rate: rate of the waveforms it takes, in Hz.
        recipe: everything that changes its embeddings, weights by hash: "embedder:...|sr:...|axis:...".
        parallel: whether several threads may call `embed` at once.
    """

    name: str
    sample_rate: int
    recipe: str
    parallel: bool

    def embed(self, waveform: "AnyArray") -> "Array":
        """Embed one clip.

        Shape:
            waveform: (L,)
            output: (n, D), one row for every stretch of time.

        Raises:
            AudioError: it gives no embeddings.
        """
        ...


def _cocola(**options: Any) -> Embedder:
    from .cocola import CocolaEmbedder

    return CocolaEmbedder(**options)


def _of_package(name: str, **options: Any) -> Embedder:
    from .pretrained import PACKAGE_MODELS, PackageEmbedder

    return PackageEmbedder(PACKAGE_MODELS[name], **options)


def _timbre(**options: Any) -> Embedder:
    from .timbre import TimbreEmbedder

    return TimbreEmbedder(**options)


EMBEDDERS: dict[str, Callable[..., Embedder]] = {
    "cocola": _cocola,
    "clap": partial(_of_package, "clap"),
    "encodec": partial(_of_package, "encodec"),
    "vggish": partial(_of_package, "vggish"),
    "timbre": _timbre,
}


def new_embedder(name: str, **options: Any) -> Embedder:
    """Return an embedder by name, with its options.

    Raises:
        UsageError: there is none of that name.
        MissingExtraError: it needs the extra [fad].
        CheckpointError: its weights are not where they are looked for.
    """
    if name not in EMBEDDERS:
        raise UsageError(f"embedder must be one of {', '.join(EMBEDDERS)}; got {name!r}")
    return EMBEDDERS[name](**options)
