from .embedding import BATCH_SIZE, BATCH_SIZE_ACCELERATOR, Embedded, WindowEmbedder
from .requests import Catalogue
from .similarities import mean_similarities, window_similarities

__all__ = [
    "BATCH_SIZE",
    "BATCH_SIZE_ACCELERATOR",
    "Catalogue",
    "Embedded",
    "WindowEmbedder",
    "mean_similarities",
    "window_similarities",
]
