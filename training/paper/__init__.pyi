from .figure3 import Task, task_of
from .tables import (
    PUBLISHED_TABLE_1,
    PUBLISHED_TABLE_2,
    PUBLISHED_TABLE_3,
    TABLE_3_COLUMNS,
    PublishedSystem,
)

__all__ = [
    "PUBLISHED_TABLE_1",
    "PUBLISHED_TABLE_2",
    "PUBLISHED_TABLE_3",
    "TABLE_3_COLUMNS",
    "PublishedSystem",
    "Task",
    "task_of",
]
