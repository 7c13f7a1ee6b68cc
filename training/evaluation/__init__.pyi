from .classification import Accuracy
from .held_out import open_test_set
from .markdown import NOTHING, markdown_table
from .paper import PUBLISHED_TABLE_2
from .validity import CUES

__all__ = ["CUES", "NOTHING", "PUBLISHED_TABLE_2", "Accuracy", "markdown_table", "open_test_set"]
