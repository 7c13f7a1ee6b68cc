"""Whether libfluidsynth is there, for the tests that render with it."""

import pytest

from cocola_metric.errors import MissingExtraError
from cocola_metric.training.synth import load_library

try:
    load_library()
    LIBRARY_IS_MISSING = False
except MissingExtraError:
    LIBRARY_IS_MISSING = True
needs_library = pytest.mark.skipif(LIBRARY_IS_MISSING, reason="libfluidsynth is not installed (apt libfluidsynth3)")
