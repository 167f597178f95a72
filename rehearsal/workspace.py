"""Input of a rehearsal: the request, the project, a temporary folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from cloudformation.assembly import Assembly, Stack, read_assembly
from domain.sizing import SizingRecord
from emulator.account import EmulatedAccount
from rehearsal.report import Progress
from rehearsal.scenario import Scenario
from rehearsal.synthesis import Synthesis, copy_sources, lay_out

PROJECT = Path(__file__).parents[1]
PIPELINE_STACK = "tap-pipeline"
PRODUCTION = "Production"


@dataclass(frozen=True)
class RehearsalRequest:
    """The request of a rehearsal. `crash_at`, `fault_rate`: for the jobs' AWS calls; `weeks_after`: after the plan.

    `every_tick`: the watch runs at each tick of its schedule, even while nothing happens. `wire`: calls go through
    HTTP's text form, like those to a served account.
    """

    out: Path
    scenario: Scenario
    seed: int = 0
    crash_at: int | None = None
    fault_rate: float = 0.0
    weeks_after: int = 0
    every_tick: bool = False
    wire: bool = False


@dataclass(frozen=True)
class Workspace:
    """Workspace of a rehearsal: the request, the project, a temporary folder."""

    request: RehearsalRequest
    project: Path
    scratch: Path
    progress: Progress

    @cached_property
    def synthesis(self) -> Synthesis:
        return Synthesis(self.project / ".rehearsal" / "cache")

    @cached_property
    def source(self) -> Path:
        """The project's files as in the Source action's output."""
        to = self.scratch / "source"
        copy_sources(self.project, to)
        return to

    def synthesize(self) -> Assembly:
        """The assembly of the first deployment: the design, or the sizing that the scenario starts from."""
        self.progress.say("synthesizing the app (or taking the same assembly from .rehearsal/cache)")
        return self.assembly_with("first", self.started_from)

    @property
    def started_from(self) -> str | None:
        """The JSON of the sizing record that the scenario starts from; None for the design."""
        sizing = self.request.scenario.starts_from
        return None if sizing is None else SizingRecord(revision=1, sizing=sizing).model_dump_json()

    def assembly_with(self, name: str, sizing: str | None) -> Assembly:
        """The assembly for a sizing record's JSON; None: nothing was ever accepted."""
        folder = self.scratch / name
        lay_out(self.source, folder)
        if sizing is not None:
            (folder / "sizing.json").write_text(sizing)
        return read_assembly(self.synthesis.run(folder, os.environ))

    def account_of(self, assembly: Assembly) -> EmulatedAccount:
        """The two accounts that the assembly names, on the day of the first deployment."""
        request = self.request
        return EmulatedAccount(
            start=request.scenario.begins - timedelta(days=request.scenario.days),
            tooling=assembly.stack(PIPELINE_STACK).account,
            production=production_of(assembly)[0].account,
            seed=request.seed,
            crash_at=request.crash_at,
            fault_rate=request.fault_rate,
            wire=request.wire,
        )


def production_of(assembly: Assembly) -> tuple[Stack, ...]:
    """The stacks of the production stage, under any parent construct."""
    return tuple(stack for stack in assembly.stacks if stack.stage.split("/")[-1] == PRODUCTION)
