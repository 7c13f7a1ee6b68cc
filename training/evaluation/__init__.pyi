from .classification import Accuracy
from .held_out import open_test_set
from .markdown import NOTHING, markdown_table
from .validity import CUES

__all__ = ["CUES", "NOTHING", "Accuracy", "markdown_table", "open_test_set"]
