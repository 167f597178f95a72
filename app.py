"""Synthesize the pipeline and everything it deploys into `cdk.out`.

`python app.py` and `cdk synth` do the same: the CLI passes context by itself, without it the
context of cdk.json is read here.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import aws_cdk as cdk

from pipeline.environment import EnvironmentInvalid, load_environment
from pipeline.pipeline_stack import PipelineStack
from stages.sizing import UnreadableSizing, read_sizing

HERE = Path(__file__).parent


def main() -> None:
    app = cdk.App(
        outdir=os.environ.get("CDK_OUTDIR", "cdk.out"),
        context=json.loads((HERE / "cdk.json").read_text())["context"],  # what the CLI passes wins over it
    )
    environment = load_environment(app.node.try_get_context("environment"))
    sizing = read_sizing(Path(os.environ.get("TAP_SIZING", HERE / "sizing.json")))
    PipelineStack(app, "tap-pipeline", environment=environment, sizing=sizing)
    app.synth()


if __name__ == "__main__":
    try:
        main()
    except (EnvironmentInvalid, UnreadableSizing) as error:
        sys.exit(str(error))
