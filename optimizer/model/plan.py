"""The plan: all decisions of one analysis, with a hash. What was approved is what runs, by this hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from domain.errors import PlanTampered, UsageError
from optimizer.model.decision import Choice, Decision, Json, finite
from optimizer.model.phase import Phase
from optimizer.model.plan_costs import PlanCosts
from optimizer.model.resource import Excluded


@dataclass(frozen=True)
class PlannedAction:
    """An action as a plan remembers it: its phase, its title, and which moves are one-way."""

    id: str
    phase: int
    title: str
    one_way: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """All decisions of one analysis.

    `held` is the reason why no phase may run at all (as fewer than 60 days of metrics), else None.
    `policy` is the policy in force with its lifted guards, as recorded values.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    created_at: datetime
    period_start: datetime
    period_end: datetime
    covered_days: float
    sizing_revision: int
    code_revision: str
    actions: tuple[PlannedAction, ...]
    decisions: tuple[Decision, ...]
    excluded: tuple[Excluded, ...]
    policy: Mapping[str, Json]
    costs: PlanCosts | None
    held: str | None

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the canonical JSON of everything above."""
        return hashlib.sha256(_canonical(self._plain)).hexdigest()

    @cached_property
    def _plain(self) -> Json:
        """Everything above as JSON values, all of which any reader of JSON takes."""
        return finite(_PLAN.dump_python(self, mode="json"))

    def phase_of(self, decision: Decision) -> Phase:
        """The phase a decision belongs to."""
        return Phase(next(each.phase for each in self.actions if each.id == decision.action))

    def to_apply(self, phase: Phase) -> tuple[Decision, ...]:
        """The decisions this phase would carry out, in execution order; none when the plan is held."""
        if self.held:
            return ()
        return tuple(d for d in self.decisions if d.choice is Choice.APPLY and self.phase_of(d) is phase)

    def dump(self) -> str:
        """The plan as a file's text: the hash, and the plan it belongs to."""
        document = {"hash": self.hash, "plan": self._plain}
        return json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n"


_PLAN = TypeAdapter(Plan)


def load_plan(text: str, origin: str) -> Plan:
    """The plan in a file's text. Raises PlanTampered when the plan is not the one its hash names."""
    try:
        document = json.loads(text)
        plan = _PLAN.validate_json(json.dumps(document["plan"]))
        claimed = document["hash"]
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
        raise PlanTampered(
            f"{origin} is not a plan ({type(error).__name__}). Use the plan.json that analyze wrote."
        ) from error
    if plan.hash != claimed:
        raise PlanTampered(
            f"{origin} was edited: its content has the hash {plan.hash[:12]}, it claims {str(claimed)[:12]}. "
            "Analyze again."
        )
    return plan


def read_plan(path: Path) -> Plan:
    """The plan in a file. Raises UsageError when there is no such file, PlanTampered when it was edited."""
    try:
        text = path.read_text()
    except OSError as error:
        raise UsageError(
            f"{path}: no plan there ({error.strerror}). `analyze --out DIR` writes DIR/plan.json."
        ) from error
    except UnicodeDecodeError as error:
        raise PlanTampered(f"{path} is not a plan (not text). Use the plan.json that analyze wrote.") from error
    return load_plan(text, str(path))


def _canonical(value: Json) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
