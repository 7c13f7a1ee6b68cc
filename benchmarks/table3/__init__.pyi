from .cells import measure_cell
from .data import NO_WEIGHTS, Cell
from .manifests import Answered, Entry, Manifest, open_manifest
from .markdown import cell_text, digits
from .metrics import Metric, open_metrics
from .scoring import score_in_process
from .stages import generate_stage
from .statistics import summarize
from .systems import SYSTEMS, table_1_markdown

__all__ = [
    "NO_WEIGHTS",
    "SYSTEMS",
    "Answered",
    "Cell",
    "Entry",
    "Manifest",
    "Metric",
    "cell_text",
    "digits",
    "generate_stage",
    "measure_cell",
    "open_manifest",
    "open_metrics",
    "score_in_process",
    "summarize",
    "table_1_markdown",
]
