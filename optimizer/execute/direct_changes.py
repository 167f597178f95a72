"""Changes past the pipeline: what a phase left behind, held against what is there now.

When its window opens, the state of every resource that a phase changed is kept, as the action
describes it. Somebody who changes one of them in the console makes the window observe something
else than what was approved: it begins anew, and what was found becomes what is compared with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from optimizer.action import Action
from optimizer.aws import Aws
from optimizer.decide.decision import Json
from optimizer.decide.plan import Plan
from optimizer.execute.pen import Pen
from optimizer.execute.records import Left
from optimizer.observe.inventory import Governed, Kind
from optimizer.phase import Phase

GONE: Mapping[str, Json] = {"gone": True}


@dataclass(frozen=True)
class Found:
    """A resource that is not as the phase left it, and as what it was found."""

    left: Left
    now: Left

    def __str__(self) -> str:
        if self.now.state == GONE:
            return f"{self.left.name} is gone"
        before, after = self.left.state, self.now.state
        names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
        told = ", ".join(f"{name} {_short(after.get(name))} (it was {_short(before.get(name))})" for name in names)
        return f"{self.left.name}: {told}"


@dataclass(frozen=True)
class DirectChanges:
    """Keeps and compares, by the actions' own descriptions."""

    production: Aws
    actions: Mapping[str, Action]

    def keep(self, plan: Plan, phase: Phase, changed: Mapping[tuple[str, str], Governed], pen: Pen) -> None:
        """What the phase left: the state of each resource that an action changed."""
        for (action, resource), governed in changed.items():
            state = self._state(action, governed)
            pen.keep_left(
                plan, phase, Left(action, resource, governed.kind.name, governed.name, governed.region, state)
            )

    def since(self, kept: Sequence[Left]) -> list[Found]:
        """What is not as it was kept."""
        found = []
        for left in kept:
            governed = Governed(Kind[left.kind], left.name, left.resource, left.region, {})
            now = Left(
                left.action, left.resource, left.kind, left.name, left.region, self._state(left.action, governed)
            )
            if now != left:
                found.append(Found(left, now))
        return found

    def _state(self, action_id: str, governed: Governed) -> Mapping[str, Json]:
        action = self.actions[action_id]
        try:
            described = action.describe(self.production.at(governed.region), governed)
        except ClientError as error:
            if "NotFound" not in error.response["Error"]["Code"]:
                raise
            return GONE
        # as JSON, because that is what the journal remembers
        state: dict[str, Json] = json.loads(json.dumps(described))
        return {name: value for name, value in state.items() if name not in action.varies}


def _short(value: Json) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
