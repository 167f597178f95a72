"""Synthesizes the pipeline and everything it deploys into `cdk.out`.

The environment comes from cdk.json, or from the file that TAP_ENVIRONMENT or `-c environment=FILE` names, a path in
this repository.

`python app.py` and `cdk synth` give the same templates: the CLI passes context by itself, without it
the context of cdk.json is read here.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk

from domain.environment import VARIABLE, EnvironmentInvalid, file_in_repository, load_environment, require_regions
from domain.sizing import Sizing, UnreadableSizing, read_sizing
from pipeline.pipeline_stack import PipelineStack

HERE = Path(__file__).parent
PATHS = {"aws:cdk:enable-path-metadata": True}  # the CLI's own setting, reserved in cdk.json


def make_app(outdir: str, **context: Any) -> cdk.App:
    """The whole app, before synthesis. `context` is added to that of cdk.json; the CLI's wins over both."""
    kept = json.loads((HERE / "cdk.json").read_text())["context"]
    app = cdk.App(outdir=outdir, context={**kept, **PATHS, **context})
    told = app.node.try_get_context("environment")
    named = os.environ.get(VARIABLE) or (told if isinstance(told, str) else None)
    file = file_in_repository(named, HERE) if named else None
    environment = load_environment(HERE / file if file else told)
    design = Sizing.designed(len(environment.replicas))
    sizing = read_sizing(Path(os.environ.get("TAP_SIZING", HERE / "sizing.json")), design)
    require_regions(environment, sizing.sizing.aurora.secondaries, file)
    PipelineStack(app, "tap-pipeline", environment=environment, environment_file=file, sizing=sizing)
    return app


if __name__ == "__main__":
    try:
        make_app(os.environ.get("CDK_OUTDIR", "cdk.out")).synth()
    except (EnvironmentInvalid, UnreadableSizing) as error:
        sys.exit(str(error))
