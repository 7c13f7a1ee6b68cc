"""The table of embedders of a Fréchet audio distance, EMBEDDERS; each is imported at first use."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import UsageError

if TYPE_CHECKING:  # --help lists the names
    from ..arrays import AnyArray
    from .frechet import Array


class Embedder(Protocol):
    """A network or function that turns a clip into embeddings.

    Attributes:
        name: key of `EMBEDDERS`, or another name.
        sample_rate: rate of the waveforms it takes, in Hz.
        recipe: everything that changes its embeddings, weights by hash: "embedder:...|sr:...|axis:...".
        parallel: True if several threads may call `embed` at once.

    One may also have ``width``: of an embedding that was stored by others, a distance takes that many first numbers.
    """

    name: str
    sample_rate: int
    recipe: str
    parallel: bool

    def embed(self, waveform: "AnyArray") -> "Array":
        """Embed one clip.

        Shape:
            (L,) -> (n, D), one row for every stretch of time.

        Raises:
            AudioError: the clip gives no embeddings.
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
        UsageError: there is no embedder of that name.
        MissingExtraError: the embedder needs the extra [fad].
        CheckpointError: its weights are missing.
    """
    if name not in EMBEDDERS:
        raise UsageError(f"embedder must be one of {', '.join(EMBEDDERS)}; got {name!r}")
    return EMBEDDERS[name](**options)
