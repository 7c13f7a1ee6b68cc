"""The two contents that a generator's audio may have."""

from typing import Literal, get_args

Content = Literal["accompaniment", "full_mix"]
"""Content of a generator's audio: the accompaniment alone (m_X), or the conditioning too (m_Y + m_X)."""
CONTENTS: tuple[Content, ...] = get_args(Content)
