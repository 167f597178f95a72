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


_ELSEWHERE = ("us-west-2", "eu-west-1", "ap-southeast-2", "eu-central-1", "ap-northeast-1", "ca-central-1")


def in_regions(replicas: int) -> dict[str, Any]:
    """The example with `count` replica Regions; unchanged, with two."""
    regions = [{"name": each, "zones": [f"{each}{zone}" for zone in "abc"]} for each in _ELSEWHERE]
    assert regions[:2] == EXAMPLE["replicas"]
    return {**EXAMPLE, "replicas": regions[:replicas]}


def moved(tooling: str, production: str) -> dict[str, Any]:
    """The example in other accounts."""
    text = json.dumps(EXAMPLE)
    for before, after in zip(EXAMPLE["accounts"].values(), (tooling, production), strict=True):
        text = text.replace(before, after)
    found: dict[str, Any] = json.loads(text)
    return found
