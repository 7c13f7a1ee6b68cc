from .audio import ConditioningAudio, QueryAudio, find_tracks
from .manifest import Query, Submix, query_as_json, read_queries
from .stem_windows import limit_band, resample_to

__all__ = [
    "ConditioningAudio",
    "Query",
    "QueryAudio",
    "Submix",
    "find_tracks",
    "limit_band",
    "query_as_json",
    "read_queries",
    "resample_to",
]
