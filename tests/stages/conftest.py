"""The synthesized production stacks, once per session, and a way to synthesize another sizing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from domain.environment import load_environment
from domain.sizing import Sizing
from stages.production import ProductionStage
from tests.environments import CONTEXT
from tests.stages.foundation import Foundation

Synthesize = Callable[..., Foundation]


@pytest.fixture(scope="session")
def context() -> Mapping[str, Any]:
    return CONTEXT


@pytest.fixture(scope="session")
def synthesize(context: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    def run(sizing: Sizing = Sizing.AS_DESIGNED, revision: int = 0, **changes: Any) -> Foundation:
        out = tmp_path_factory.mktemp("assembly")
        app = cdk.App(context=dict(context), outdir=str(out), builtin_cloud_formation_validation=False)
        environment = load_environment({**context["environment"], **changes})
        ProductionStage(app, "Production", environment=environment, sizing=sizing, revision=revision)
        stacks = app.synth().get_nested_assembly("assembly-Production").stacks
        return Foundation(
            {stack.stack_name: json.loads(Path(stack.template_full_path).read_text()) for stack in stacks}
        )

    return run


@pytest.fixture(scope="session")
def foundation(synthesize: Synthesize) -> Foundation:
    """As designed, at revision 0."""
    return synthesize()
