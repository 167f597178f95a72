"""Every write to the journal, as the few sentences the plan's life is made of.

A `Pen` writes under a lease: each sentence is one transaction that also renews the lease and is
refused once somebody else holds it. A sentence whose answer was lost is repeated by botocore; when
its condition then fails, the record is read again, and a record that already says what was to be
written counts as written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from pydantic import TypeAdapter

from domain.errors import PlanSuperseded, WrongState
from domain.sizing import SizingRecord
from optimizer.analyze.evidence import PlanEvidence
from optimizer.costs.realised import RealisedWeek
from optimizer.execute.journal import Journal, packed
from optimizer.execute.lease import Lease
from optimizer.execute.preconditions import is_finished
from optimizer.execute.records import (
    CodeVersion,
    MoveRecord,
    MoveState,
    Override,
    PhaseRecord,
    PhaseState,
    PlanState,
    WindowEvidence,
    WindowSnapshot,
)
from optimizer.execute.states import leading_to, require_step
from optimizer.execute.stored_samples import samples_text
from optimizer.model.decision import Json, finite
from optimizer.model.health import Assessment, Health, Pause, Sample, Samples
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.ports.aws import failed_conditions

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

_PHASE = TypeAdapter(PhaseRecord)
_MOVE = TypeAdapter(MoveRecord)
_WINDOW = TypeAdapter(WindowEvidence)
_EVIDENCE = TypeAdapter(PlanEvidence)
_WEEK = TypeAdapter(RealisedWeek)
_OVERRIDE = TypeAdapter(Override)
_LEFT = TypeAdapter(WindowSnapshot)


class JournalWriter:
    """Writes the journal under one lease."""

    def __init__(self, journal: Journal, lease: Lease) -> None:
        self.journal = journal
        self.lease = lease
        self._events = 0

    def propose(self, plan: Plan, evidence: PlanEvidence | None = None) -> None:
        """Put a plan in force, as proposed, with what was measured for it; an earlier one is superseded."""
        phases = [str(phase.number) for phase in Phase if plan.to_apply(phase)]
        head: dict[str, AttributeValueTypeDef] = {
            "hash": {"S": plan.hash},
            "state": {"S": PlanState.PROPOSED.value},
            "proposed_at": {"S": self._now()},
        }
        if phases:
            head["phases"] = {"NS": phases}
        kept = []
        if evidence is not None:
            document = packed(_EVIDENCE.dump_json(evidence).decode())
            kept.append(self._put(f"plan#{plan.hash}", "evidence", {"document": document}))
        self.lease.write(
            self._put(f"plan#{plan.hash}", "plan", {"document": packed(plan.dump())}),
            *kept,
            self._put("plan", "current", head),
            self._event(plan, None, f"Plan {plan.hash[:12]} proposed" + (f"; held: {plan.held}" if plan.held else "")),
        )

    def approve(self, plan: Plan, approver: str) -> None:
        """Record that a person approved this plan. Raises PlanSuperseded when it is not in force any more."""
        update: TransactWriteItemTypeDef = {
            "Update": {
                "TableName": self.journal.table,
                "Key": {"pk": {"S": "plan"}, "sk": {"S": "current"}},
                "UpdateExpression": "SET #state = :approved, approved_at = :now, approver = :who",
                "ConditionExpression": "#hash = :hash AND #state = :proposed",
                "ExpressionAttributeNames": {"#state": "state", "#hash": "hash"},
                "ExpressionAttributeValues": {
                    ":approved": {"S": PlanState.APPROVED.value},
                    ":proposed": {"S": PlanState.PROPOSED.value},
                    ":hash": {"S": plan.hash},
                    ":now": {"S": self._now()},
                    ":who": {"S": approver},
                },
            }
        }
        try:
            self.lease.write(update, self._event(plan, None, f"Plan {plan.hash[:12]} approved by {approver}"))
        except ClientError as error:
            if not _condition_failed(error):
                raise
            current = self.journal.current()
            if current is None or current.plan.hash != plan.hash or current.state is PlanState.STOPPED:
                in_force = current.plan.hash[:12] if current else "none"
                raise PlanSuperseded(
                    f"Plan {plan.hash[:12]} cannot be approved: the plan in force is {in_force}"
                    f"{' and it is stopped' if current and current.state is PlanState.STOPPED else ''}. Analyze again."
                ) from error

    def move_phase(self, plan: Plan, record: PhaseRecord, to: PhaseState, text: str, **changes: object) -> PhaseRecord:
        """Compare and set the state of a phase, along the table of states.py; returns the record. Raises WrongState."""
        require_step(f"Phase {record.phase.number}", record.state, to)
        changed = replace(record, state=to, since=self._clock(), unattended_since=None, **changes)  # type: ignore[arg-type]  # replace checks names
        return self._write_phase(plan, record, changed, text)

    def unattended(self, plan: Plan, record: PhaseRecord) -> PhaseRecord:
        """No job is at work on a phase that is not done; the phase's state stays."""
        text = f"Phase {record.phase.number} is {record.state.value}, and no job is at work on it"
        return self._write_phase(plan, record, replace(record, unattended_since=self._clock()), text)

    def attended(self, plan: Plan, record: PhaseRecord) -> PhaseRecord:
        """A job is at work on the phase again."""
        if record.unattended_since is None:
            return record
        text = f"Phase {record.phase.number} is {record.state.value}, and a job goes on with it"
        return self._write_phase(plan, record, replace(record, unattended_since=None), text)

    def applied_by(self, plan: Plan, record: PhaseRecord, version: CodeVersion) -> PhaseRecord:
        """Name the code that changes things from now on, for the phase and for who undoes it."""
        code: dict[str, AttributeValueTypeDef] = {
            "plan": {"S": plan.hash},
            "sha256": {"S": version.sha256},
            "key": {"S": version.key},
            "revision": {"S": version.revision},
        }
        text = f"Phase {record.phase.number} is applied by the code of commit {version.revision[:12]}"
        changed = replace(record, version=version)
        return self._write_phase(plan, record, changed, text, self._put("code", "applied", code))

    def assess(self, plan: Plan, record: PhaseRecord, assessment: Assessment) -> PhaseRecord:
        """Record the newest assessment of an open window; the phase's state stays."""
        text = ""
        if record.assessment is None or record.assessment.verdict is not assessment.verdict:
            text = f"Health of phase {record.phase.number}: {assessment.verdict.value}, {assessment.reason}"
        now, unclear = self._clock(), assessment.verdict is Health.INCONCLUSIVE
        since = (record.unclear_since or now) if unclear else None
        assessed = replace(record, assessment=assessment, assessed_at=now, unclear_since=since)
        return self._write_phase(plan, record, assessed, text)

    def begin_window_anew(self, plan: Plan, record: PhaseRecord, window: timedelta, why: str) -> str:
        """The observed phase is watched for a whole window from now on; returns what was written."""
        start = self._clock()
        text = (
            f"The window of phase {record.phase.number} begins anew, until {start + window:%Y-%m-%d %H:%M} UTC: {why}"
        )
        self.move_phase(plan, record, PhaseState.OBSERVING, text, window_start=start, window_end=start + window)
        return text

    def accept(self, plan: Plan, record: PhaseRecord, sizing: SizingRecord) -> PhaseRecord:
        """Accept the phase and put its sizing in force, together or not at all."""
        sized: TransactWriteItemTypeDef = self._put("sizing", "current", {"record": {"S": sizing.model_dump_json()}})
        require_step(f"Phase {record.phase.number}", record.state, PhaseState.ACCEPTED)
        accepted = replace(record, state=PhaseState.ACCEPTED, since=self._clock(), accepted_at=self._clock())
        text = f"Phase {record.phase.number} accepted; sizing revision {sizing.revision} in force"
        last: dict[str, AttributeValueTypeDef] = {
            "hash": {"S": plan.hash},
            "phase": {"N": str(record.phase.number)},
            "at": {"S": self._now()},
        }
        return self._write_phase(plan, record, accepted, text, sized, self._put("accepted", "last", last))

    def follow(self, sizing: SizingRecord) -> None:
        """Put a sizing in force that follows what AWS varied by itself."""
        self.lease.write(self._put("sizing", "current", {"record": {"S": sizing.model_dump_json()}}))

    def close_when_finished(self, plan: Plan) -> None:
        """End the plan as DONE once no phase has anything left to do."""
        if is_finished(plan, self.journal.phases(plan)):
            self.close(plan, PlanState.DONE, "Every phase is reconciled: the plan is done")

    def close(self, plan: Plan, state: PlanState, text: str) -> None:
        """End the plan: STOPPED after a rollback, DONE when every phase is. Raises WrongState otherwise."""
        allowed = {f":was{number}": {"S": each.value} for number, each in enumerate((state, *leading_to(state)))}
        update: TransactWriteItemTypeDef = {
            "Update": {
                "TableName": self.journal.table,
                "Key": {"pk": {"S": "plan"}, "sk": {"S": "current"}},
                "UpdateExpression": "SET #state = :state",
                "ConditionExpression": f"#hash = :hash AND #state IN ({', '.join(allowed)})",
                "ExpressionAttributeNames": {"#state": "state", "#hash": "hash"},
                "ExpressionAttributeValues": {":state": {"S": state.value}, ":hash": {"S": plan.hash}, **allowed},
            }
        }
        try:
            self.lease.write(update, self._event(plan, None, text))
        except ClientError as error:
            if not _condition_failed(error):
                raise
            current = self.journal.current()
            stands = f"{current.plan.hash[:12]}, {current.state.value}" if current else "none"
            raise WrongState(
                f"Plan {plan.hash[:12]} cannot become {state.value}: the plan in force is {stands}."
            ) from error

    def move(self, plan: Plan, record: MoveRecord, state: MoveState) -> MoveRecord:
        """Write where a move stands; its time is now."""
        written = replace(record, state=state, at=self._clock())
        key = f"move#{record.phase.number}#{record.sequence:03d}"
        self.lease.write(
            self._put(f"plan#{plan.hash}", key, {"record": {"S": _MOVE.dump_json(written).decode()}}),
            self._event(plan, record.phase, f"{record.action}: {record.summary}: {state.value}"),
        )
        return written

    def keep_before(self, plan: Plan, phase: Phase, action: str, resource: str, before: Mapping[str, Json]) -> None:
        """Keep a resource's state from before its first change."""
        document = json.dumps(finite(before), sort_keys=True, allow_nan=False)
        key = f"before#{phase.number}#{action}#{resource}"
        self.lease.write(self._put(f"plan#{plan.hash}", key, {"document": {"S": document}}))

    def keep_left(self, plan: Plan, phase: Phase, left: WindowSnapshot) -> None:
        """Keep a resource's state when the phase's window opens, or as it was found changed."""
        key = f"left#{phase.number}#{left.action}#{left.resource}"
        self.lease.write(self._put(f"plan#{plan.hash}", key, {"record": {"S": _LEFT.dump_json(left).decode()}}))

    def keep_notes(self, plan: Plan, phase: Phase, action: str, resource: str, document: Mapping[str, Json]) -> None:
        """Keep how far a long move of a change is."""
        key = f"notes#{phase.number}#{action}#{resource}"
        self.lease.write(
            self._put(f"plan#{plan.hash}", key, {"document": packed(json.dumps(finite(document), allow_nan=False))})
        )

    def keep_pause(self, plan: Plan, pause: Pause) -> None:
        """Announce that requests are refused by our own doing from a time on, and when that is over."""
        until: dict[str, AttributeValueTypeDef] = {"until": {"S": pause.end.isoformat()}} if pause.end else {}
        self.lease.write(self._put(f"plan#{plan.hash}", f"pause#{pause.begin.isoformat()}", until))

    def keep_baseline(self, plan: Plan, samples: Sequence[Sample]) -> None:
        """Keep the health samples from before the plan's first change: small steps must not add up unseen.

        One item for each target group, since an item holds 400 KB; the load balancer's says that all are there.
        """
        known = samples if isinstance(samples, Samples) else Samples(samples)
        for name, group in known.groups.items():
            document = packed(samples_text(group))
            self.lease.write(self._put(f"plan#{plan.hash}", f"baseline#{name}", {"document": document}))
        whole: dict[str, AttributeValueTypeDef] = {
            "document": packed(samples_text(samples)),
            "zone": {"S": known.zone},
        }
        if known.balancer is not None:
            whole["balancer"] = {"S": known.balancer}
        self.lease.write(self._put(f"plan#{plan.hash}", "baseline", whole))

    def keep_window(self, plan: Plan, phase: Phase, window: WindowEvidence) -> None:
        """Keep what the window showed: CloudWatch forgets 5-minute data after 63 days."""
        document = packed(_WINDOW.dump_json(window).decode())
        self.lease.write(self._put(f"plan#{plan.hash}", f"window#{phase.number}", {"document": document}))

    def keep_override(self, plan: Plan, override: Override) -> None:
        """Keep who let a commit through the freeze, and why."""
        text = f"Freeze overridden by {override.who} for commit {override.commit[:12]}: {override.reason}"
        self.lease.write(self._override(plan, override), self._event(plan, None, text))

    def mark_deployed(self, plan: Plan, override: Override) -> None:
        """The commit of an override was deployed."""
        self.lease.write(self._override(plan, replace(override, deployed=True)))

    def keep_weeks(self, plan: Plan, weeks: Sequence[RealisedWeek]) -> None:
        """Keep what was measured of weeks after acceptance."""
        for week in weeks:
            text = f"In the week of {week.start} ${week.realised:,} were saved; ${week.projected:,} were expected"
            record: AttributeValueTypeDef = {"S": _WEEK.dump_json(week).decode()}
            self.lease.write(
                self._put(f"plan#{plan.hash}", f"realised#{week.start}", {"record": record}),
                self._event(plan, None, text),
            )

    def note(self, plan: Plan, phase: Phase | None, text: str) -> None:
        """Record that something happened."""
        self.lease.write(self._event(plan, phase, text))

    def _write_phase(
        self, plan: Plan, old: PhaseRecord, new: PhaseRecord, text: str, *others: TransactWriteItemTypeDef
    ) -> PhaseRecord:
        put = self._put(
            f"plan#{plan.hash}",
            f"phase#{new.phase.number}",
            {"state": {"S": new.state.value}, "record": {"S": _PHASE.dump_json(new).decode()}},
        )
        put["Put"]["ConditionExpression"] = "#state = :old"
        if old.state is PhaseState.WAITING:
            put["Put"]["ConditionExpression"] += " OR attribute_not_exists(pk)"
        put["Put"]["ExpressionAttributeNames"] = {"#state": "state"}
        put["Put"]["ExpressionAttributeValues"] = {":old": {"S": old.state.value}}
        events = [self._event(plan, new.phase, text)] if text else []
        try:
            self.lease.write(put, *others, *events)
        except ClientError as error:
            if not _condition_failed(error):
                raise
            record = self.journal.phase(plan, new.phase)
            if record != new:
                raise WrongState(
                    f"Phase {new.phase.number} is {record.state.value}, not {old.state.value}: another run moved it on."
                ) from error
        return new

    def _override(self, plan: Plan, override: Override) -> TransactWriteItemTypeDef:
        document: AttributeValueTypeDef = {"S": _OVERRIDE.dump_json(override).decode()}
        return self._put(f"plan#{plan.hash}", f"override#{override.commit}", {"record": document})

    def _put(self, pk: str, sk: str, attributes: Mapping[str, AttributeValueTypeDef]) -> TransactWriteItemTypeDef:
        return {"Put": {"TableName": self.journal.table, "Item": {"pk": {"S": pk}, "sk": {"S": sk}, **attributes}}}

    def _event(self, plan: Plan, phase: Phase | None, text: str) -> TransactWriteItemTypeDef:
        self._events += 1
        attributes: dict[str, AttributeValueTypeDef] = {"at": {"S": self._now()}, "text": {"S": text}}
        if phase:
            attributes["phase"] = {"N": str(phase.number)}
        return self._put(
            f"plan#{plan.hash}", f"event#{self._now()}#{self.lease.fence:06d}#{self._events:04d}", attributes
        )

    def _clock(self) -> datetime:
        return self.journal.aws.clock.now()

    def _now(self) -> str:
        return self.journal.aws.clock.now().isoformat()


def _condition_failed(error: ClientError) -> bool:
    return "ConditionalCheckFailed" in failed_conditions(error)
