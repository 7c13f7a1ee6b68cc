from .classification import Accuracy
from .encoders import Encoders, labelled
from .held_out import in_batches, open_test_set, read_submixes
from .markdown import NOTHING, markdown_table
from .validity import CUES

__all__ = [
    "CUES",
    "NOTHING",
    "Accuracy",
    "Encoders",
    "in_batches",
    "labelled",
    "markdown_table",
    "open_test_set",
    "read_submixes",
]
