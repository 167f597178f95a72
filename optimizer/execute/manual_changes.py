"""Changes past the pipeline: what was there when a window opened, held against what is there now.

When its window opens, the state of every governed resource that was decided on is kept, as its action describes it.
Somebody who changes one of them in the console makes the window observe something else than what was approved: it
begins anew, and what was found becomes what is compared with. What the phase itself had changed has to be as it left
it in the end: an index whose deny was lifted is one that somebody needs, and is not deleted. What people release beside
a plan, as an image with a security patch, is watched for a whole window, and then is what stays.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from botocore.exceptions import ClientError

from domain.errors import ResourceGone
from optimizer.action import Action
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.records import WindowSnapshot
from optimizer.model.decision import Decision, Json
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.model.resource import Answer, Governed, Kind
from optimizer.observe.inventory import named, ownership_of
from optimizer.ports.aws import Aws
from optimizer.ports.one_look import one_look

GONE: Mapping[str, Json] = {"gone": True}


@dataclass(frozen=True)
class ManualChange:
    """A resource that is not as the phase left it, and as what it was found."""

    left: WindowSnapshot
    now: WindowSnapshot

    def __str__(self) -> str:
        if self.now.state == GONE:
            return f"{self.left.name} is gone"
        before, after = self.left.state, self.now.state
        names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
        differences = ", ".join(
            f"{name} {_short(after.get(name))} (it was {_short(before.get(name))})" for name in names
        )
        return f"{self.left.name}: {differences}"


@dataclass(frozen=True)
class ManualChanges:
    """Keeps and compares, by the actions' own descriptions."""

    production: Aws
    actions: Mapping[str, Action]

    def keep(
        self, plan: Plan, phase: Phase, decisions: Iterable[Decision], own: Collection[str], pen: JournalWriter
    ) -> Sequence[str]:
        """Keep the state of each of these decisions' resources that is still ours, and return their names.

        `own` are the ones the phase changed. What cannot be read now is left out, for the next look to take in.
        """
        names, look = [], one_look(self.production)
        for decision in decisions:
            mine, kind = decision.key in own, self.actions[decision.action].kind
            governed = named(kind, decision.resource, self.production.region)
            answer = ownership_of(self.production, governed).answer
            if answer is Answer.TENANT or (answer is Answer.UNREADABLE and not mine):
                continue
            try:
                state = self._state(look, decision.action, governed)
            except ClientError:
                continue
            if state != GONE:
                key = decision.action, decision.resource, governed.kind.name, governed.name, governed.region
                pen.keep_left(plan, phase, WindowSnapshot(*key, state, mine))
                names.append(governed.name)
        return names

    def since(self, kept: Sequence[WindowSnapshot]) -> list[ManualChange]:
        """Differences from the kept state."""
        changes, look = [], one_look(self.production)
        for left in kept:
            state = self._now(look, left)
            if state != left.state:
                applied = left.state if left.applied is None else left.applied
                changes.append(ManualChange(left, replace(left, state=state, applied=applied)))
        return changes

    def standing(self, kept: Sequence[WindowSnapshot]) -> list[ManualChange]:
        """Changes by hand to what the phase had changed, neither put back nor released since."""
        changes, look = [], one_look(self.production)
        for left in kept:
            if not left.own or left.applied is None:
                continue
            released = self.actions[left.action].released
            was, now = (
                {name: value for name, value in state.items() if name not in released}
                for state in (left.applied, self._now(look, left))
            )
            if was != now:
                changes.append(ManualChange(replace(left, state=was), replace(left, state=now)))
        return changes

    def _now(self, look: Aws, left: WindowSnapshot) -> Mapping[str, Json]:
        governed = Governed(Kind[left.kind], left.name, left.resource, left.region, {})
        return self._state(look, left.action, governed)

    def _state(self, look: Aws, action_id: str, governed: Governed) -> Mapping[str, Json]:
        action = self.actions[action_id]
        try:
            described = action.describe(look.at(governed.region), governed)
        except ResourceGone:
            return GONE
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
