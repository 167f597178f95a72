"""For all tests: what this process was told of an environment is none of theirs."""

from __future__ import annotations

import os

from domain.environment import VARIABLE

os.environ.pop(VARIABLE, None)  # Build sets it, and runs the tests
