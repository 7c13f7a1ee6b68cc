"""The embeddings behind sub-FAD: mixtures of conditioning and accompaniment, each embedded once."""

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from cocola_metric import __version__
from cocola_metric.embedding_store import EMBEDDINGS, EmbeddingStore
from cocola_metric.errors import AudioError
from cocola_metric.fad import Array, Embedder

from ..queries import Query
from .answers import Accompaniments


def embed_mixes(
    embedder: Embedder, queries: Sequence[Query], music: Accompaniments, cache: EmbeddingStore, *, name: str = "embed"
) -> list[Array]:
    """Return the embeddings (n, D) of every mixture of conditioning and accompaniment, from the cache or anew.

    Args:
        embedder: embedder of sub-FAD.
        queries: queries with an accompaniment.
        music: mixtures to be embedded, at the embedder's rate.
        cache: cache with one file a query, named after recipe, identity, and the version of this package, which
            resamples.
        name: text of the progress bar.

    Raises:
        AudioError: audio is missing, damaged, or gives no embeddings.
    """
    embedded = []
    for query in tqdm(queries, desc=name, unit="query", delay=1, disable=None):
        place = cache.path(f"{embedder.recipe}|v:{__version__}", [music.identity(query)])
        found = cache.read(place)
        kept = None if found is None else found[EMBEDDINGS].astype(np.float64)
        if kept is None:
            made = embedder.embed(music.mix(query, embedder.sample_rate))
            kept = made.astype(np.float32).astype(np.float64)  # as it will be read next time
            if kept.ndim != 2 or not len(kept) or not np.isfinite(kept).all():
                raise AudioError(
                    f"{query.id}: the embedder {embedder.name} gave no finite embeddings; listen to the audio, and "
                    "leave the query out if it is damaged"
                )
            cache.write(place, {EMBEDDINGS: kept})
        embedded.append(kept)
    return embedded
