"""The emulated account with the foundation in it, served to other processes until somebody ends it."""

from __future__ import annotations

import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

import typer

from domain.errors import UsageError
from emulator.http_server import Environments, serving
from emulator.services.codepipeline.execution import Execution, Executions
from rehearsal.pipeline.definition import SynthesizedPipeline
from rehearsal.pipeline.deployments import deployed_pipeline
from rehearsal.report import Progress
from rehearsal.scenario import Scenario
from rehearsal.session import REVISION, RehearsalSession
from rehearsal.workspace import PROJECT, RehearsalRequest, Workspace

OPTIMIZER = ["python", "-m", "optimizer"]
BY_THE_PIPELINE = ("TAP_WATCH_NAME",)  # a served account starts no build


def host(port: int, scenario: Scenario, seed: int = 0) -> int:
    """Deploy the foundation, live the scenario's days, then serve on 127.0.0.1 until interrupted or terminated."""
    progress = Progress(sys.stderr)
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as scratch:
        setting = Workspace(RehearsalRequest(Path(scratch), scenario, seed), PROJECT, Path(scratch), progress)
        assembly = setting.synthesize()
        with setting.account_of(assembly) as account:
            progress.clock = account.clock
            life = RehearsalSession(setting, account, assembly)
            life.begin()
            pipeline = deployed_pipeline(account, life.home)
            account.part(Executions).by_pipeline[pipeline.name] = waiting_execution(pipeline)
            environments = job_environments(pipeline, life.home.region)
            try:
                with serving(account, port, environments) as served:
                    typer.echo(f"http://127.0.0.1:{served}")
                    progress.say(
                        f"serving: ./tap rehearse exec {served} -- VERB; ./tap rehearse advance {served} HOURS"
                    )
                    progress.say("stop with Ctrl-C")
                    wait_for_the_end()
            except OSError as error:
                raise UsageError(f"Port {port} cannot be served on ({error.strerror}): choose another.") from error
    return 0


def waiting_execution(pipeline: SynthesizedPipeline) -> Execution:
    """A pipeline execution in which nothing has run: there is no pipeline engine here, the caller runs the verbs."""
    stages = {stage.name: tuple(action.name for action in stage.actions) for stage in pipeline.stages}
    return Execution(pipeline.name, "00000000-0000-4000-8000-000000000000", stages)


def job_environments(pipeline: SynthesizedPipeline, region: str) -> Environments:
    """The declared environment of the CodeBuild project that runs a verb; Analyze's if no project runs it.

    A served account starts no builds: its user runs the watch by hand, so the watch has no name here.
    """
    declared: dict[str, Mapping[str, str]] = {}
    for project in pipeline.projects.values():
        for command in project.commands("build"):
            words = shlex.split(command, comments=True)
            if words[:3] == OPTIMIZER and len(words) > 3:
                declared.setdefault(words[3], project.environment)

    def environment(verb: str) -> Mapping[str, str]:
        own = declared.get(verb, declared["analyze"])
        return {
            **{name: value for name, value in own.items() if name not in BY_THE_PIPELINE},
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "CODEBUILD_RESOLVED_SOURCE_VERSION": REVISION,
            "TAP_SECOND_APPROVER": "false",  # there are no gates: the user who runs `approve` approves
        }

    return environment


def wait_for_the_end() -> None:
    """Wait for SIGINT or SIGTERM."""
    ended = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: ended.set())
    ended.wait()
