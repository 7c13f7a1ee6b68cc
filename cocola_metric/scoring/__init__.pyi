from .devices import chosen_device
from .embedded import Embedded, Request, Windows
from .embedding import BATCH_SIZE_ACCELERATOR, WindowEmbedder, WindowEncoder
from .guards import ECHO_THRESHOLD, NOISE_THRESHOLD, echo, noise, traces
from .matrices import MatrixScorer
from .pairs import PairScorer
from .publishing import Publisher
from .requests import Catalogue
from .results import Embeddings, Ranked, WindowScores
from .similarities import block_means, mean_similarities, window_similarities
from .stored import StoredEmbedder

__all__ = [
    "BATCH_SIZE_ACCELERATOR",
    "ECHO_THRESHOLD",
    "NOISE_THRESHOLD",
    "Catalogue",
    "Embedded",
    "Embeddings",
    "MatrixScorer",
    "PairScorer",
    "Publisher",
    "Ranked",
    "Request",
    "StoredEmbedder",
    "WindowEmbedder",
    "WindowEncoder",
    "WindowScores",
    "Windows",
    "block_means",
    "chosen_device",
    "echo",
    "mean_similarities",
    "noise",
    "traces",
    "window_similarities",
]
