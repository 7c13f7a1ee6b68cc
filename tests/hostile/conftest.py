"""How much of the hostile tests runs: a few seconds of them by default, all of them with COCOLA_HOSTILE=full."""

import os

import pytest


@pytest.fixture(scope="session")
def in_full() -> bool:
    """Whether all bad files and all kills are tried."""
    return os.environ.get("COCOLA_HOSTILE") == "full"
