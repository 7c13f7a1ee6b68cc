from .classification import Accuracy
from .cue_judge import cue_scores, fit_cue_weights
from .encoders import Encoders, labelled
from .held_out import LEVEL_DBFS, in_batches, open_test_set, read_submixes
from .markdown import NOTHING, markdown_table
from .validity import CUES

__all__ = [
    "CUES",
    "LEVEL_DBFS",
    "NOTHING",
    "Accuracy",
    "Encoders",
    "cue_scores",
    "fit_cue_weights",
    "in_batches",
    "labelled",
    "markdown_table",
    "open_test_set",
    "read_submixes",
]
