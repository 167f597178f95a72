"""The plan's life, verb by verb: approve, apply, watch, accept, roll back.

    waiting -> applying -> observing -> accepting -> accepted -> reconciled
                  |            |            |  (until the first one-way move)
                  +------------+------------+--> rolling_back -> rolled_back

Every verb can be run again at any point: it reads the journal and carries on, or finds itself done.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NoReturn

from optimizer.action import Action, Tending, When
from optimizer.analyze import measure
from optimizer.aws import Aws
from optimizer.decide.decision import Decision
from optimizer.decide.health import Assessment, Baseline, Health, judge
from optimizer.decide.plan import Plan
from optimizer.decide.policy import Policy
from optimizer.errors import (
    Breach,
    LeaseLost,
    NotApproved,
    PlanSuperseded,
    TenantOwned,
    TurnedBack,
    Unhealthy,
    WrongState,
)
from optimizer.execute.agreement import Agreement
from optimizer.execute.direct_changes import DirectChanges
from optimizer.execute.engine import Change, Engine, Say, refuse_one_way
from optimizer.execute.gates import answered, ask_again, failed_gate, reject
from optimizer.execute.journal import Journal
from optimizer.execute.lease import Purpose
from optimizer.execute.notices import Notice, afterwards, due, gate_expired, send
from optimizer.execute.open_days import require_open_days
from optimizer.execute.pen import Pen
from optimizer.execute.records import (
    CodeVersion,
    PhaseRecord,
    PhaseState,
    PlanEvidence,
    PlanRecord,
    PlanState,
    WindowEvidence,
)
from optimizer.execute.service import Service
from optimizer.execute.switch import Switch
from optimizer.execute.versions import keep
from optimizer.observe.assembly import Stack
from optimizer.observe.tenants import tier_uses
from optimizer.phase import Phase
from optimizer.settings import Settings
from stages.sizing import Sizing, SizingRecord

SETTLE_STEP = timedelta(minutes=5)  # the lease is renewed while waiting
REMEMBERED = timedelta(hours=1)  # an unchanged verdict is written down no more often than this
WATCHED_ON = timedelta(hours=24)  # after an acceptance
NOTHING_YET = Assessment(Health.INCONCLUSIVE, "no data: the window has no settled period yet")
MOVING = (PhaseState.APPLYING, PhaseState.ACCEPTING, PhaseState.ROLLING_BACK)
UNDER_WAY = (*MOVING, PhaseState.OBSERVING)
FINISHED = (PhaseState.RECONCILED, PhaseState.EMPTY)


@dataclass(frozen=True)
class Life:
    """The verbs, with all they work on."""

    production: Aws
    tooling: Aws
    journal: Journal
    settings: Settings
    policy: Policy
    actions: Mapping[str, Action]
    service: Service
    say: Say

    @property
    def regions(self) -> Sequence[str]:
        return (self.settings.primary_region, *self.settings.secondary_regions)

    @property
    def switch(self) -> Switch:
        return Switch(self.tooling, self.settings.switch_parameter)

    @property
    def direct_changes(self) -> DirectChanges:
        return DirectChanges(self.production, self.actions)

    def propose(self, plan: Plan, evidence: PlanEvidence | None, instead_of: PlanRecord | None) -> None:
        """Put a new plan in force. Raises PlanSuperseded when another is by now, WrongState while a phase is busy."""
        with self.journal.lease(Purpose.ANALYZE, self.settings.build_id) as lease:
            current = self.journal.current()
            if _head(current) != _head(instead_of):
                raise PlanSuperseded(
                    f"While this was analyzed, plan {current.plan.hash[:12] if current else 'none'} became "
                    f"{current.state.value if current else 'none'}: nothing is proposed. Analyze again."
                )
            for record in self.journal.phases(current.plan).values() if current else ():
                if record.state in UNDER_WAY:
                    raise WrongState(
                        f"Phase {record.phase.number} is {record.state.value}: a new plan would leave it to nobody. "
                        "Propose anew when it is accepted or rolled back."
                    )
            Pen(self.journal, lease).propose(plan, evidence)

    def is_under_way(self) -> bool:
        """Whether a plan is carried out, or a phase of a stopped one is still being rolled back: the freeze holds."""
        current = self.journal.current()
        if current is None or current.state is PlanState.PROPOSED:
            return False
        phases = self.journal.phases(current.plan).values()
        return current.state is PlanState.APPROVED or any(each.state in UNDER_WAY for each in phases)

    def approve(self, plan: Plan) -> str:
        """Record that the gate was passed for exactly this plan; returns who approved. Raises NotApproved."""
        by_gate = answered(self.tooling, self.settings.pipeline_name, "Approve")
        who = self.settings.approvals.require(plan, by_gate)
        with self.journal.lease(Purpose.APPROVE, self.settings.build_id) as lease:
            Pen(self.journal, lease).approve(plan, who)
        return who

    def preview(self, plan: Plan, phase: Phase) -> list[str]:
        """What `apply` would do, move by move; changes nothing, neither in AWS nor in the journal."""
        lines: list[str] = []
        for decision in plan.to_apply(phase):
            governed = self._engine(plan, phase, None).find([decision]).get(decision.resource)
            if governed is None:
                lines.append(f"{decision.action}: {decision.resource} is gone, or owned by a tenant: left alone")
                continue
            for move in self.actions[decision.action].moves(governed, decision.before, decision):
                lines.append(f"{decision.action}: {governed.name}: {move.when.value}: {move.summary}")
        return lines

    def apply(self, plan: Plan, phase: Phase, source: Path | None = None) -> PhaseRecord:
        """The APPLY moves of one phase, up to its open window. Finds itself done when it is.

        The code in `source`, which must be this code, is kept for whoever undoes the phase.
        """
        self._require_approved(plan)
        decisions = plan.to_apply(phase)
        record = self.journal.phase(plan, phase)
        if not decisions or record.state not in (PhaseState.WAITING, PhaseState.APPLYING):
            return self._already(record, decisions)
        self.switch.allow_change()
        self._require_turn(plan, phase)
        version = self._kept(source)
        with self.journal.lease(Purpose.APPLY, self.settings.build_id) as lease:
            pen = Pen(self.journal, lease)
            engine = self._engine(plan, phase, pen)
            engine.check_radius(decisions)
            record = self.journal.phase(plan, phase)
            if record.state is PhaseState.WAITING:
                record = self._begin(plan, phase, record, pen)
            if version and version != record.version:
                record = pen.applied_by(plan, record, version)
            record, wanted = self._wanted(plan, record, decisions, engine, pen)
            governed = engine.find(wanted)
            for decision in wanted:
                if decision.resource not in governed:
                    raise TenantOwned(
                        f"{decision.resource} was under change and is gone, or owned by a tenant, by now."
                    )
                change = engine.change(plan, phase, decision, governed[decision.resource], pen)
                try:
                    engine.run(plan, phase, change, When.APPLY, pen)
                except TurnedBack as turned:
                    self._roll_back_now(phase, str(turned))
            if not wanted:
                record = pen.move_phase(plan, record, PhaseState.EMPTY, "Every decision was vetoed: nothing to observe")
                self._close_when_finished(plan, pen)
                return record
            own = {each.key for each in wanted}
            self.direct_changes.keep(plan, phase, engine.find(plan.decisions), own, pen)
            now = self.production.clock.now()
            end = now + self.policy.window
            text = f"Phase {phase.number} applied; the window is open until {end:%Y-%m-%d %H:%M} UTC"
            return pen.move_phase(plan, record, PhaseState.OBSERVING, text, window_start=now, window_end=end)

    def watch(self) -> tuple[Phase | None, Assessment | None]:
        """Assess the open window; on a breach roll back and raise Breach. Finishes a rollback that crashed.

        With no window open, what was accepted in the last day is assessed, and never rolled back.
        """
        current = self.journal.current()
        if current is None or current.state not in (PlanState.APPROVED, PlanState.STOPPED):
            return self._afterwards()
        records = self.journal.phases(current.plan)
        observed = None
        for phase, record in records.items():
            if record.state is PhaseState.ROLLING_BACK:
                self.rollback(phase, record.reason)
                raise Breach(f"Phase {phase.number} was being rolled back; that is finished now: {record.reason}")
            if record.state is PhaseState.APPLYING:
                self._recover(current.plan, phase)
            if record.state is PhaseState.OBSERVING:
                observed = phase, self._assess(current.plan, record)
                self._tend(current.plan, phase)
                if _is_due(record, self.production.clock.now()):
                    self._begin_anew_when_changed(current.plan, phase)
                break
        self._send(due(records.values(), self.production.clock.now()), current.plan.hash)
        return observed or self._afterwards(records.values())

    def tell(self) -> None:
        """Send people the notices that the plan's state calls for, each once."""
        current = self.journal.current()
        if current is not None:
            records = self.journal.phases(current.plan).values()
            self._send(due(records, self.production.clock.now()), current.plan.hash)

    def gate_failed(self, phase: Phase, execution: str, timeout: timedelta) -> str:
        """What a failed Observe gate means: a rejection rolls back, one that nobody answered is asked again."""
        plan = self._current().plan
        record = self.journal.phase(plan, phase)
        if record.state is not PhaseState.OBSERVING:
            # The job that rolls back answers the gate after it has said so in the journal.
            return f"Phase {phase.number} is {record.state.value}: its gate was no person's to answer, nothing to do."
        answer = failed_gate(self.tooling, self.settings.pipeline_name, phase.stage_name, execution, timeout)
        if answer.rejected:
            done = self.rollback(phase, f"The Observe gate was rejected by {answer.by or 'somebody unnamed'}.")
            return f"Phase {phase.number} is {done.state.value}."
        again = ask_again(self.tooling, self.settings.pipeline_name, phase.stage_name, execution)
        self._send([gate_expired(phase, answer.id, asked_again=again)], plan.hash)
        return f"Phase {phase.number} stays observed: nobody answered its gate" + (
            ", which asks anew." if again else "."
        )

    def accept(self, phase: Phase) -> PhaseRecord:
        """After a healthy window: the ACCEPT moves, then the sizing record. Finds itself done when it is."""
        plan = self._current().plan
        record = self.journal.phase(plan, phase)
        if record.state in (PhaseState.ACCEPTED, *FINISHED):
            return record
        self.switch.allow_change()
        if record.state is PhaseState.OBSERVING:
            self._require_window_over(plan, record)
            record = self.journal.phase(plan, phase)
        if record.state not in (PhaseState.OBSERVING, PhaseState.ACCEPTING):
            raise WrongState(f"Phase {phase.number} is {record.state.value}: only an observed phase can be accepted.")
        with self.journal.lease(Purpose.ACCEPT, self.settings.build_id) as lease:
            pen = Pen(self.journal, lease)
            self._keep_window(plan, record, pen)
            if record.state is PhaseState.OBSERVING:
                record = pen.move_phase(plan, record, PhaseState.ACCEPTING, f"Phase {phase.number}: acceptance begins")
            engine = self._engine(plan, phase, pen)
            changes = self._changes(plan, phase, engine, pen, self.switch.allow_change)
            for change in changes.values():
                engine.run(plan, phase, change, When.ACCEPT, pen)
            sizing = self._resized([change.decision for change in changes.values()])
            return pen.accept(plan, record, sizing)

    def rollback(self, phase: Phase, reason: str) -> PhaseRecord:
        """Undo the phase and stop the plan. Safe to repeat; refused once a one-way move has begun."""
        plan = self._current().plan
        record = self.journal.phase(plan, phase)
        if record.state is PhaseState.ROLLED_BACK:
            return record
        if record.state in (PhaseState.WAITING, PhaseState.ACCEPTED, *FINISHED):
            raise WrongState(f"Phase {phase.number} is {record.state.value}: there is nothing to roll back.")
        refuse_one_way(self.journal.moves(plan, phase))
        self.switch.allow_undo()
        with self.journal.lease(Purpose.ROLLBACK, self.settings.build_id) as lease:
            pen = Pen(self.journal, lease)
            record = self.journal.phase(plan, phase)
            if record.state is PhaseState.ROLLED_BACK:
                return record  # somebody finished it while this run waited for the lease
            if record.state in (PhaseState.ACCEPTED, *FINISHED):
                raise WrongState(f"Phase {phase.number} was accepted meanwhile: there is nothing to roll back.")
            refuse_one_way(self.journal.moves(plan, phase))  # an acceptance may have begun one until this moment
            if record.state is not PhaseState.ROLLING_BACK:
                text = f"Phase {phase.number} is rolled back: {reason}"
                record = pen.move_phase(plan, record, PhaseState.ROLLING_BACK, text, reason=reason)
            pen.close(plan, PlanState.STOPPED, "The plan stops here; a person may propose anew")
            if reject(self.tooling, self.settings.pipeline_name, phase.stage_name, reason):
                pen.note(plan, phase, f"The gate of {phase.stage_name} was rejected: {reason}")
            engine = self._engine(plan, phase, pen)
            changes = self._changes(plan, phase, engine, pen, self.switch.allow_undo)
            engine.undo(plan, phase, changes, pen)
            self._keep_window(plan, record, pen)
            return pen.move_phase(plan, record, PhaseState.ROLLED_BACK, f"Phase {phase.number} is as it was before")

    def agree(self, stacks: Sequence[Stack]) -> bool:
        """Bring the deployed templates of `stacks` after the account; whether anything was executed."""
        current = self.journal.current()
        with self.journal.lease(Purpose.RECONCILE, self.settings.build_id) as lease:
            pen = Pen(self.journal, lease)

            def note(text: str) -> None:
                self.say(text)
                if current is not None:
                    pen.note(current.plan, None, text)

            return Agreement(self.production, self.switch.allow_change, lease.keep, note).bring(stacks)

    def reconciled(self) -> list[Phase]:
        """Mark every accepted phase as reconciled; the last one ends the plan."""
        current = self._current()
        plan = current.plan
        accepted = [r for phase in Phase if (r := self.journal.phase(plan, phase)).state is PhaseState.ACCEPTED]
        if current.state is not PlanState.APPROVED:
            return []
        with self.journal.lease(Purpose.RECONCILE, self.settings.build_id) as lease:
            pen = Pen(self.journal, lease)
            for record in accepted:
                number = record.phase.number
                pen.move_phase(plan, record, PhaseState.RECONCILED, f"Phase {number}: code and account agree")
            self._close_when_finished(plan, pen)
        return [record.phase for record in accepted]

    def _close_when_finished(self, plan: Plan, pen: Pen) -> None:
        if all(self.journal.phase(plan, phase).state in FINISHED for phase in Phase if plan.to_apply(phase)):
            pen.close(plan, PlanState.DONE, "Every phase is reconciled: the plan is done")

    def _kept(self, source: Path | None) -> CodeVersion | None:
        """This code, filed before anything is changed by it."""
        bucket = self.settings.records_bucket
        if source is None or bucket is None:
            return None
        return keep(self.tooling, bucket, source, self.settings.revision)

    def _begin(self, plan: Plan, phase: Phase, record: PhaseRecord, pen: Pen) -> PhaseRecord:
        """Pre-flight: the service is surely well, and its baseline is kept."""
        now = self.production.clock.now()
        require_open_days(self.tooling, self.settings.peaks_parameter, self.policy, phase, now)
        recent = self.service.baseline(now)
        assessment = judge(recent, [], now)
        if assessment.verdict is not Health.HEALTHY:
            raise Unhealthy(
                f"Phase {phase.number} does not start: {assessment.reason}. Run it again when that is over."
            )
        if self.journal.baseline(plan.hash) is None:
            pen.keep_baseline(plan, recent)
        return pen.move_phase(plan, record, PhaseState.APPLYING, f"Phase {phase.number} begins", applied_at=now)

    def _wanted(
        self, plan: Plan, record: PhaseRecord, decisions: Sequence[Decision], engine: Engine, pen: Pen
    ) -> tuple[PhaseRecord, list[Decision]]:
        """The decisions that still hold. Those already begun are carried on; those vetoed stay vetoed."""
        begun = {(move.action, move.resource) for move in self.journal.moves(plan, record.phase)}
        vetoed = dict(record.vetoed or {})
        fresh = [d for d in decisions if (d.action, d.resource) not in begun and d.key not in vetoed]
        found = engine.find(fresh)
        asked = [(self.actions[d.action], found[d.resource]) for d in fresh if d.resource in found]
        measured = measure(self.production, asked, self.policy)
        for decision in fresh:
            reason = engine.still_wanted(decision, found.get(decision.resource), measured)
            if reason:
                vetoed[decision.key] = reason
                self.say(f"{decision.action}: left out, its criteria no longer hold: {reason}")
        if vetoed != dict(record.vetoed or {}):
            text = "Left out: " + "; ".join(f"{key}: {reason}" for key, reason in vetoed.items())
            record = pen.move_phase(plan, record, PhaseState.APPLYING, text, vetoed=vetoed)
        return record, [d for d in decisions if d.key not in vetoed]

    def _changes(
        self, plan: Plan, phase: Phase, engine: Engine, pen: Pen, allow: Callable[[], None]
    ) -> dict[tuple[str, str], Change]:
        """The changes this phase has begun, each with its moves as they were when it was applied."""
        begun = {(move.action, move.resource) for move in self.journal.moves(plan, phase)}
        decisions = [d for d in plan.to_apply(phase) if (d.action, d.resource) in begun]
        governed = engine.find(decisions)
        changes = {}
        for decision in decisions:
            if decision.resource not in governed:
                raise TenantOwned(
                    f"{decision.resource} was changed by the plan and is gone, or owned by a tenant, by now."
                )
            before = self.journal.before(plan, phase, decision.action, decision.resource)
            assert before is not None, "it is journaled before the first move"
            action, resource = self.actions[decision.action], governed[decision.resource]
            notes = engine.notes(plan, phase, decision, pen, allow)
            moves = engine.moves(resource, before, decision, notes)
            changes[(decision.action, decision.resource)] = Change(decision, action, resource, before, moves)
        return changes

    def _require_window_over(self, plan: Plan, record: PhaseRecord) -> None:
        """Raises Unhealthy when the window is still open or not surely healthy; rolls back on a breach."""
        assert record.window_end is not None, "an observed phase has a window"
        now = self.production.clock.now()
        if now < record.window_end:
            left = record.window_end - now
            raise Unhealthy(
                f"Phase {record.phase.number} is observed until {record.window_end:%Y-%m-%d %H:%M} UTC, "
                f"{left / timedelta(hours=1):.1f} h from now. Approving earlier does not count: retry the stage then."
            )
        assessment = self._assess(plan, record)
        if assessment.verdict is not Health.HEALTHY:
            raise Unhealthy(f"Phase {record.phase.number} is held, not accepted: {assessment.reason}.")
        if text := self._begin_anew_when_changed(plan, record.phase):
            raise Unhealthy(f"Phase {record.phase.number} is held, not accepted. {text}. Retry the stage then.")
        if standing := self.direct_changes.standing(self.journal.left(plan, record.phase)):
            raise Unhealthy(
                f"Phase {record.phase.number} is held, not accepted: it is not what was approved any more. "
                f"{'; '.join(str(each) for each in standing)}. Put that back and retry the stage 48 h later, "
                f"or roll back: rollback --phase {record.phase.number} --reason TEXT."
            )

    def _begin_anew_when_changed(self, plan: Plan, phase: Phase) -> str:
        """Begin the window anew when somebody changed what the phase left; returns what was said, or nothing."""
        found = self.direct_changes.since(self.journal.left(plan, phase))
        if not found:
            return ""
        with self.journal.lease(Purpose.WATCH, self.settings.build_id) as lease:
            pen = Pen(self.journal, lease)
            record = self.journal.phase(plan, phase)
            if record.state is not PhaseState.OBSERVING:
                return ""  # accepted or rolled back meanwhile: by its own hand
            why = f"changed past the pipeline: {'; '.join(str(each) for each in found)}"
            text = pen.begin_window_anew(plan, record, self.policy.window, why)
            for each in found:
                pen.keep_left(plan, phase, each.now)
        self.say(text)
        return text

    def _tend(self, plan: Plan, phase: Phase) -> None:
        """What the changes of an open window ask of the watch, as carrying writes back."""
        if not any(self.actions[each.action].tend for each in plan.to_apply(phase)):
            return
        with self.journal.lease(Purpose.WATCH, self.settings.build_id) as lease:
            if self.journal.phase(plan, phase).state is PhaseState.OBSERVING:  # else accepted or rolled back meanwhile
                self._for_each_change(plan, phase, Pen(self.journal, lease), lambda action: action.tend)

    def _recover(self, plan: Plan, phase: Phase) -> None:
        """What the changes under way ask for when the job that applied them has died. Waits for no living one."""
        if not any(self.actions[each.action].recover for each in plan.to_apply(phase)):
            return
        with suppress(LeaseLost), self.journal.lease(Purpose.WATCH, self.settings.build_id, timedelta(0)) as lease:
            if self.journal.phase(plan, phase).state is PhaseState.APPLYING:
                self._for_each_change(plan, phase, Pen(self.journal, lease), lambda action: action.recover)

    def _for_each_change(self, plan: Plan, phase: Phase, pen: Pen, asked: Callable[[Action], Tending | None]) -> None:
        """Do what is asked of each change that was begun, and say what came of it."""
        engine = self._engine(plan, phase, pen)
        for change in self._changes(plan, phase, engine, pen, self.switch.allow_undo).values():
            if (work := asked(change.action)) is None:
                continue
            notes = engine.notes(plan, phase, change.decision, pen, self.switch.allow_undo)
            aws = self.production.at(change.governed.region)
            if line := work(aws, change.governed, change.before, change.decision, notes):
                self.say(line)

    def _assess(self, plan: Plan, record: PhaseRecord) -> Assessment:
        assert record.window_start is not None, "an observed phase has a window"
        now = self.production.clock.now()
        window = self.service.samples(record.window_start, now)
        assessment = self._baseline(plan).judge(window, now) if window else NOTHING_YET
        if _is_news(record, assessment, now):
            with self.journal.lease(Purpose.WATCH, self.settings.build_id) as lease:
                record = Pen(self.journal, lease).assess(plan, record, assessment)
        if assessment.verdict is Health.BREACH:
            self.rollback(record.phase, assessment.reason)
            raise Breach(f"Phase {record.phase.number} was rolled back: {assessment.reason}")
        return assessment

    def _afterwards(self, phases: Collection[PhaseRecord] = ()) -> tuple[Phase | None, Assessment | None]:
        """The service since the latest acceptance, for a day; a breach is told, never undone.

        What another phase of the plan does to the service meanwhile is that phase's own.
        """
        last, now = self.journal.accepted_last(), self.production.clock.now()
        if last is None or now - last.at >= WATCHED_ON or any(each.state in MOVING for each in phases):
            return None, None
        baseline = self.journal.baseline(last.plan_hash)
        undone = [each.since for each in phases if each.state is PhaseState.ROLLED_BACK]
        window = self.service.samples(max([last.at, *undone]), now)
        if baseline is None or not window:
            return None, None
        assessment = baseline.judge(window, now)
        if notice := afterwards(last, assessment):
            self._send([notice], last.plan_hash)
        return last.phase, assessment

    def _send(self, notices: Iterable[Notice], plan_hash: str) -> None:
        for subject in send(notices, plan_hash, self.journal, self.tooling, self.settings.topic_arn):
            self.say(f"people are told: {subject}")

    def _keep_window(self, plan: Plan, record: PhaseRecord, pen: Pen) -> None:
        if record.window_start is not None:
            now = self.production.clock.now()
            window = self.service.samples(record.window_start, now)
            expected = self._baseline(plan).expected_p99([each.at for each in window])
            tiers = tier_uses(self.production, record.window_start, now, self._first_change(plan))
            pen.keep_window(plan, record.phase, WindowEvidence(tuple(window), tuple(expected), tiers))

    def _first_change(self, plan: Plan) -> datetime:
        """When the plan changed anything first: what the service was before it, it is compared with."""
        begun = [each.applied_at for each in self.journal.phases(plan).values() if each.applied_at is not None]
        return min(begun, default=self.production.clock.now())

    def _resized(self, decisions: Sequence[Decision]) -> SizingRecord:
        """The sizing in force with these decisions in it: from what was approved, not read back from AWS."""
        current = self.journal.sizing()
        sizing: Sizing = current.sizing
        for decision in decisions:
            sizing = self.actions[decision.action].resize(sizing, decision)
        return SizingRecord(revision=current.revision + 1, sizing=sizing)

    def _engine(self, plan: Plan, phase: Phase, pen: Pen | None) -> Engine:
        def settled(wait: timedelta) -> None:
            self._settle(plan, phase, wait, pen)

        return Engine(self.production, self.regions, self.policy, self.actions, self.say, self.switch, settled)

    def _settle(self, plan: Plan, phase: Phase, wait: timedelta, pen: Pen | None) -> None:
        """Watch health for a while in the middle of a phase; roll back and raise Breach when it breaks."""
        clock = self.production.clock
        record = self.journal.phase(plan, phase)
        assert record.applied_at is not None, "a phase under way has begun"
        end = clock.now() + wait
        while clock.now() < end:
            clock.sleep(SETTLE_STEP.total_seconds())
            if pen:
                pen.lease.keep()
        window = self.service.samples(record.applied_at, clock.now())
        assessment = self._baseline(plan).judge(window, clock.now()) if window else NOTHING_YET
        if assessment.verdict is Health.BREACH:
            self._roll_back_now(phase, assessment.reason)

    def _roll_back_now(self, phase: Phase, reason: str) -> NoReturn:
        """Undo a phase in the middle of its application."""
        self.rollback(phase, reason)
        raise Breach(f"Phase {phase.number} was rolled back while it was applied: {reason}")

    def _baseline(self, plan: Plan) -> Baseline:
        baseline = self.journal.baseline(plan.hash)
        assert baseline is not None, "it is kept before the first change"
        return baseline

    def _current(self) -> PlanRecord:
        current = self.journal.current()
        if current is None:
            raise WrongState("There is no plan yet: analyze first.")
        return current

    def _require_approved(self, plan: Plan) -> None:
        current = self._current()
        if current.plan.hash != plan.hash:
            raise PlanSuperseded(
                f"Plan {plan.hash[:12]} is not in force, {current.plan.hash[:12]} is. Use that, or analyze again."
            )
        if current.state is PlanState.PROPOSED:
            raise NotApproved(f"Plan {plan.hash[:12]} was not approved. Approve the gate, or run approve --plan FILE.")
        if current.state is PlanState.STOPPED:
            raise PlanSuperseded(
                f"Plan {plan.hash[:12]} was stopped by a rollback. A person may propose anew: analyze --anew."
            )

    def _require_turn(self, plan: Plan, phase: Phase) -> None:
        for earlier in Phase:
            if earlier.number < phase.number and plan.to_apply(earlier):
                state = self.journal.phase(plan, earlier).state
                if state not in FINISHED:
                    raise WrongState(
                        f"Phase {phase.number} waits: phase {earlier.number} is {state.value}, not reconciled."
                    )

    def _already(self, record: PhaseRecord, decisions: Sequence[Decision]) -> PhaseRecord:
        if not decisions:
            self.say(f"Phase {record.phase.number} has nothing to change.")
        elif record.state in (PhaseState.ROLLING_BACK, PhaseState.ROLLED_BACK):
            raise WrongState(
                f"Phase {record.phase.number} is {record.state.value}: {record.reason}. Analyze again to propose anew."
            )
        else:
            self.say(f"Phase {record.phase.number} is {record.state.value} already.")
        return record


def _is_news(record: PhaseRecord, assessment: Assessment, now: datetime) -> bool:
    """Whether the journal should learn of an assessment: a new verdict, or none kept for an hour."""
    return record.assessment is None or record.assessment.verdict is not assessment.verdict or _is_due(record, now)


def _is_due(record: PhaseRecord, now: datetime) -> bool:
    """Whether nothing was written of an observed phase for an hour; so often is it looked for direct changes."""
    return record.assessed_at is None or now - record.assessed_at >= REMEMBERED


def _head(record: PlanRecord | None) -> tuple[str, PlanState] | None:
    return (record.plan.hash, record.state) if record else None
