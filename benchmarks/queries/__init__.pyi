from .audio import ConditioningAudio, QueryAudio, find_tracks
from .manifest import Query, Submix, query_as_json, read_queries, task_of_manifest
from .sides import SIDES, halves
from .stem_windows import limit_band, resample_to

__all__ = [
    "SIDES",
    "ConditioningAudio",
    "Query",
    "QueryAudio",
    "Submix",
    "find_tracks",
    "halves",
    "limit_band",
    "query_as_json",
    "read_queries",
    "resample_to",
    "task_of_manifest",
]
