"""The contents that a generator's audio may have."""

from typing import Literal, get_args

from cocola_metric.training.paper import Task

Content = Literal["accompaniment", "full_mix", "stems"]
"""Content of a generator's audio.

- accompaniment: what is asked for, m_X, in one channel
- full_mix: the conditioning too, m_Y + m_X
- stems: the parts that are asked for, one channel each, in the order of their tags
"""
CONTENTS: tuple[Content, ...] = get_args(Content)
OF_STEMS = (Task.UG, Task.SS)
"""Tasks whose measures need the parts one by one."""


def content_of(task: Task) -> Content:
    """Return the content that answers to a task have, unless a system cannot make it."""
    return "stems" if task in OF_STEMS else "accompaniment"
