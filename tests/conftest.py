"""For all tests: the environment variables of this process do not reach them, and its garbage is collected seldom."""

from __future__ import annotations

import gc
import os

from domain.environment import VARIABLE

os.environ.pop(VARIABLE, None)  # Build sets it, and runs the tests


def pytest_collection_finish() -> None:
    """What is imported by now stays: going through all of it again and again is a tenth of the tests' time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 10, 10)
