"""For all tests: the environment variables of this process do not reach them."""

from __future__ import annotations

import os

from domain.environment import VARIABLE

os.environ.pop(VARIABLE, None)  # Build sets it, and runs the tests
