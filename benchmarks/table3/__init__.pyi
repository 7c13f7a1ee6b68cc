from .answers import Answers, RealMusic, Samples, hash_of
from .cells import measure_cell
from .data import NO_WEIGHTS, Cell
from .embedding import embed_mixes
from .manifests import Answered, Entry, Manifest, open_manifest
from .markdown import cell_text, digits
from .metrics import Metric, open_metrics
from .scoring import by_track, read_rows, score_answers, score_in_process
from .stages import generate_stage
from .statistics import summarize
from .systems import SYSTEMS, table_1_markdown

__all__ = [
    "NO_WEIGHTS",
    "SYSTEMS",
    "Answered",
    "Answers",
    "Cell",
    "Entry",
    "Manifest",
    "Metric",
    "RealMusic",
    "Samples",
    "by_track",
    "cell_text",
    "digits",
    "embed_mixes",
    "generate_stage",
    "hash_of",
    "measure_cell",
    "open_manifest",
    "open_metrics",
    "read_rows",
    "score_answers",
    "score_in_process",
    "summarize",
    "table_1_markdown",
]
