from .clap_files import CLAP_FILES
from .distance import FAD, Mix, SubFAD
from .embedders import EMBEDDERS, Embedder, new_embedder
from .estimates import TrackSet, infinity, split_half_floor
from .frechet import Array, frechet_distance
from .reference import Reference
from .result import FadResult

__all__ = [
    "CLAP_FILES",
    "EMBEDDERS",
    "FAD",
    "Array",
    "Embedder",
    "FadResult",
    "Mix",
    "Reference",
    "SubFAD",
    "TrackSet",
    "frechet_distance",
    "infinity",
    "new_embedder",
    "split_half_floor",
]
