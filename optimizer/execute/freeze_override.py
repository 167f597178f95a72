"""The freeze set aside: a person lets one commit deploy although a plan is under way, and that is kept.

The override is a parameter in the tooling account: `COMMIT REASON...`. It counts for that commit
alone. Who set it is what Parameter Store knows of its last version, not what the value claims.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from domain.errors import UsageError, WrongState
from optimizer.execute.journal import Journal
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import Purpose
from optimizer.execute.records import Override, PhaseState
from optimizer.execute.states import MOVING
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.ports.aws import Aws

NOTHING = "none"
SHORTEST = 7  # characters of a commit, as git abbreviates it


def read_override(tooling: Aws, parameter: str | None, commit: str) -> Override | None:
    """The override for this commit; None when the parameter names none or another. Raises UsageError."""
    if parameter is None:
        return None
    parameter_read = tooling.ssm.get_parameter(Name=parameter)["Parameter"]
    named, _, reason = parameter_read["Value"].strip().partition(" ")
    if named == NOTHING or not commit.startswith(named):
        return None
    if len(named) < SHORTEST or not reason.strip():
        raise UsageError(f"The parameter {parameter} must be `COMMIT REASON...`, with {SHORTEST} characters or more.")
    pages = tooling.ssm.get_paginator("get_parameter_history").paginate(Name=parameter)
    versions = {each["Version"]: each for page in pages for each in page["Parameters"]}
    who = versions.get(parameter_read["Version"], {}).get("LastModifiedUser", "unknown")
    return Override(commit, who, reason.strip(), parameter_read["LastModifiedDate"])


@dataclass(frozen=True)
class Freeze:
    """The effect of an override on the plan that is under way."""

    journal: Journal
    window: timedelta
    build_id: str
    say: Callable[[str], None]

    def override(self, plan: Plan, override: Override) -> None:
        """Keep it, and begin the open window anew. Raises WrongState while something else is at work."""
        for record in self.journal.phases(plan).values():
            if record.state in MOVING:
                raise WrongState(
                    f"Phase {record.phase.number} is {record.state.value}: a deployment now would be a second "
                    "change of the same resources, and no override lifts that. Build again when it is done."
                )
        with self.journal.lease(Purpose.FREEZE, self.build_id) as lease:
            pen = JournalWriter(self.journal, lease)
            pen.keep_override(plan, override)
            self._begin_window_anew(plan, pen, f"freeze overridden by {override.who}: {override.reason}")

    def deployed(self, plan: Plan, commit: str) -> None:
        """After the deployment: what an override let through has just changed, so the window begins anew once more."""
        override = self.journal.override(plan, commit)
        if override is None or override.deployed:
            return
        with self.journal.lease(Purpose.FREEZE, self.build_id) as lease:
            pen = JournalWriter(self.journal, lease)
            pen.mark_deployed(plan, override)
            self._begin_window_anew(plan, pen, f"commit {commit[:12]} was deployed by the override of {override.who}")

    def _begin_window_anew(self, plan: Plan, pen: JournalWriter, why: str) -> None:
        for phase in Phase:
            record = self.journal.phase(plan, phase)
            if record.state is PhaseState.OBSERVING:
                self.say(pen.begin_window_anew(plan, record, self.window, why))
