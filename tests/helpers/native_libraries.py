"""Marks of the tests that render with a library of the system, which may not be there."""

from collections.abc import Callable

import pytest

from cocola_metric.errors import MissingExtraError
from cocola_metric.training.rendering import openmpt, synth


def needs(load_library: Callable[[], object], name: str, package: str) -> pytest.MarkDecorator:
    try:
        load_library()
        is_missing = False
    except MissingExtraError:
        is_missing = True
    return pytest.mark.skipif(is_missing, reason=f"{name} is not installed (apt {package})")


needs_fluidsynth = needs(synth.load_library, "libfluidsynth", "libfluidsynth3")
needs_openmpt = needs(openmpt.load_library, "libopenmpt", "libopenmpt0")
