"""What the audio of a generator holds."""

from typing import Literal, get_args

Content = Literal["accompaniment", "full_mix"]
"""Whether audio is the accompaniment alone (m_X), or plays the conditioning too (m_Y + m_X)."""
CONTENTS: tuple[Content, ...] = get_args(Content)
