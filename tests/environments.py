"""The environment that the tests are about: a file of their own, so that they pass in a repository with real values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

EXAMPLE: Mapping[str, Any] = json.loads(Path(__file__).with_name("example_environment.json").read_text())
_APP = json.loads((Path(__file__).parents[1] / "cdk.json").read_text())["context"]
CONTEXT: Mapping[str, Any] = {**_APP, "environment": EXAMPLE}
"""The app's context as cdk.json has it, but for the environment."""


def moved(tooling: str, production: str) -> dict[str, Any]:
    """The example in other accounts."""
    text = json.dumps(EXAMPLE)
    for before, after in zip(EXAMPLE["accounts"].values(), (tooling, production), strict=True):
        text = text.replace(before, after)
    found: dict[str, Any] = json.loads(text)
    return found
