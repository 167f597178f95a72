"""The plan's life, verb by verb: approve, apply, watch, accept, roll back.

    waiting -> applying -> observing -> accepting -> accepted -> reconciled
                  |            |            |  (until the first one-way move)
                  +------------+------------+--> rolling_back -> rolled_back

Every verb can be run again at any point: it reads the journal and carries on, or finds itself done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cloudformation.assembly import Stack
from domain.errors import Breach, LeaseLost, TurnedBack, Unhealthy, WrongState
from domain.sizing import SizingRecord
from optimizer.action import Action, When
from optimizer.analyze.evidence import PlanEvidence
from optimizer.decide.approvals import UNKNOWN
from optimizer.decide.policy import Policy
from optimizer.execute.applied_code import keep
from optimizer.execute.calendar_check import require_open_days
from optimizer.execute.control_planes import require_aws
from optimizer.execute.early_call import EarlyCall
from optimizer.execute.engine import Engine, Say, refuse_one_way
from optimizer.execute.guard import Guard
from optimizer.execute.journal import Journal
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.kill_switch import KillSwitch
from optimizer.execute.lease import Purpose
from optimizer.execute.manual_changes import ManualChanges
from optimizer.execute.notifications import Notice, afterwards, due, gate_expired, not_watched, send
from optimizer.execute.observation import Observation
from optimizer.execute.phase_changes import PhaseChanges
from optimizer.execute.pipeline_gates import answered, ask_again, failed_gate, reject, rejected_since
from optimizer.execute.preconditions import (
    current_plan,
    is_finished,
    require_approved,
    require_at_rest,
    require_no_deployment,
    require_turn,
    require_well,
)
from optimizer.execute.records import PhaseRecord, PhaseState, PlanRecord, PlanState
from optimizer.execute.states import CARRIED_OUT, TAKEN, UNDER_WAY, next_steps
from optimizer.execute.watch_schedule import WatchSchedule
from optimizer.execute.way_back import require_open
from optimizer.model.decision import Decision
from optimizer.model.health import Assessment, Health
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.observe.service_health import ServiceHealth
from optimizer.ports.aws import Aws
from optimizer.ports.settings import Settings
from optimizer.reconcile.bring_templates import TemplateUpdate


@dataclass(frozen=True)
class Lifecycle:
    """The verbs, with all they work on."""

    production: Aws
    tooling: Aws
    journal: Journal
    settings: Settings
    policy: Policy
    actions: Mapping[str, Action]
    service: ServiceHealth
    say: Say

    @property
    def regions(self) -> Sequence[str]:
        return (self.settings.primary_region, *self.settings.secondary_regions)

    @property
    def switch(self) -> KillSwitch:
        return KillSwitch(self.tooling, self.settings.switch_parameter)

    @property
    def direct_changes(self) -> ManualChanges:
        return ManualChanges(self.production, self.actions)

    @property
    def observation(self) -> Observation:
        return Observation(
            self.production,
            self.journal,
            self.service,
            self.direct_changes,
            self.policy.window,
            self.settings.build_id,
            self.say,
        )

    @property
    def schedule(self) -> WatchSchedule:
        return WatchSchedule(self.tooling, self.journal, self.settings.watch_name)

    @property
    def early_call(self) -> EarlyCall:
        return EarlyCall(self.production, heard=self.settings.watch_name is not None)

    @property
    def guard(self) -> Guard:
        return Guard(self)

    def propose(self, plan: Plan, evidence: PlanEvidence | None, instead_of: PlanRecord | None) -> None:
        """Put a new plan in force. Raises PlanSuperseded when another is by now, WrongState while a phase is busy."""
        with self.journal.lease(Purpose.ANALYZE, self.settings.build_id) as lease:
            require_at_rest(self.journal, instead_of)
            JournalWriter(self.journal, lease).propose(plan, evidence)

    def approve(self, plan: Plan) -> str:
        """Record that the gate was passed for exactly this plan; returns who approved. Raises NotApproved."""
        by_gate = answered(self.tooling, self.settings.pipeline_name, "Approve")
        caller = self.tooling.sts.get_caller_identity()["Arn"] if self.settings.by_hand else UNKNOWN
        who = self.settings.approvals.require(plan, by_gate, caller)
        with self.journal.lease(Purpose.APPROVE, self.settings.build_id) as lease:
            JournalWriter(self.journal, lease).approve(plan, who)
        return who

    def preview(self, plan: Plan, phase: Phase) -> list[str]:
        """The moves that `apply` would make; changes nothing, neither in AWS nor in the journal."""
        return list(self._engine(plan, phase, None).preview(plan.to_apply(phase)))

    def apply(self, plan: Plan, phase: Phase, source: Path | None = None) -> PhaseRecord:
        """The APPLY moves of one phase, up to its open window. Finds itself done when it is.

        The code in `source`, which must be this code, is kept for whoever undoes the phase.
        """
        require_approved(self.journal, plan)
        decisions = plan.to_apply(phase)
        record = self.journal.phase(plan, phase)
        if not decisions or record.state not in (PhaseState.WAITING, PhaseState.APPLYING):
            return self._already(record, decisions)
        self.switch.allow_change()
        require_turn(self.journal, plan, phase)
        self.guard.require_healthy(plan, phase)
        version = keep(self.tooling, self.settings.records_bucket, source, self.settings.revision)
        if version and record.state is PhaseState.WAITING:
            # The watch runs this code: it is named before the watch has to show that it can run.
            with self.journal.lease(Purpose.APPLY, self.settings.build_id) as lease:
                JournalWriter(self.journal, lease).applied_by(plan, record, version)
        self._require_watched(phase)
        with self.journal.lease(Purpose.APPLY, self.settings.build_id) as lease:
            pen = JournalWriter(self.journal, lease)
            engine = self._engine(plan, phase, pen)
            engine.check_radius(decisions)
            record = self.journal.phase(plan, phase)
            if record.state is PhaseState.WAITING:
                record = self._begin(plan, phase, record, pen)
            record = pen.attended(plan, record)
            self.schedule.switch_on()  # a watch that ran meanwhile may have found nothing under way
            if version and version != record.version:
                record = pen.applied_by(plan, record, version)
            record, governed, wanted = PhaseChanges(plan, phase, engine, pen).wanted(record, decisions)
            for decision in wanted:
                change = engine.change(plan, phase, decision, governed[decision.resource], pen)
                try:
                    engine.run(plan, phase, change, When.APPLY, pen)
                except TurnedBack as turned:
                    self.guard.take_back(record, str(turned))
            if not wanted:
                record = pen.move_phase(plan, record, PhaseState.EMPTY, "Every decision was vetoed: nothing to observe")
                pen.close_when_finished(plan)
                return record
            own = {each.key for each in wanted}
            self.direct_changes.keep(plan, phase, plan.decisions, own, pen)
            now = self.production.clock.now()
            end = now + self.policy.window
            text = f"Phase {phase.number} applied; the window is open until {end:%Y-%m-%d %H:%M} UTC"
            return pen.move_phase(plan, record, PhaseState.OBSERVING, text, window_start=now, window_end=end)

    def _require_watched(self, phase: Phase) -> None:
        """Raises Unhealthy, and tells people, where the watch cannot run beside this job."""
        try:
            self.schedule.require_watched()
        except Unhealthy as problem:
            self.tell([not_watched(phase, str(problem), self.production.clock.now())])
            raise

    def watch(self) -> tuple[Phase | None, Assessment | None]:
        """Judge what is under way, and say that it was judged. Raises Breach when a phase was rolled back."""
        try:
            judged = self._watch()
        except (Breach, Unhealthy):
            self.schedule.beat()  # it was judged: what is held is told otherwise
            raise
        self.schedule.beat()
        if judged == (None, None):
            self._rest()
        return judged

    def _rest(self) -> None:
        """Switch the watch's schedule and alarm off when nothing of ours is changed. A job at work keeps them on."""
        with suppress(LeaseLost), self.journal.lease(Purpose.WATCH, self.settings.build_id, timedelta(0)):
            standing = self.journal.standing()
            records = standing[1].values() if standing else ()
            if not any(each.state in UNDER_WAY for each in records):
                self.early_call.remove()  # first: what dies here is run again, while the schedule is on
                self.schedule.switch_off()

    def _watch(self) -> tuple[Phase | None, Assessment | None]:
        """Judge the phase that is under way; on a breach roll back and raise Breach. Finishes a rollback that crashed.

        With none under way, what was accepted in the last day is assessed, and never rolled back.
        """
        standing = self.journal.standing()
        if standing is None or standing[0].state not in CARRIED_OUT:
            return self._afterwards()
        current, records = standing
        if current.state is PlanState.APPROVED and is_finished(current.plan, records):
            self._close(current.plan)
        observed, written = None, self.journal.written
        for phase, record in records.items():
            if record.state in UNDER_WAY:
                self._heed_rejection(record)
                observed = phase, self.guard.watch(current.plan, record)
                break
        if self.journal.written == written:  # what was read still stands
            self._send(due(records.values(), self.production.clock.now()), current.plan.hash)
        else:
            self.tell()
        return observed or self._afterwards(records.values())

    def _heed_rejection(self, record: PhaseRecord) -> None:
        """Roll back a phase whose gate a person has rejected, and raise Breach: the event of it may be lost."""
        if record.state is not PhaseState.OBSERVING or record.applied_at is None:
            return
        pipeline, timeout, stage = self.settings.pipeline_name, self.settings.gate_timeout, record.phase.stage_name
        gate = rejected_since(self.tooling, pipeline, stage, record.applied_at, timeout)
        if gate is not None:
            reason = f"The Observe gate was rejected by {gate.by or 'somebody unnamed'}."
            self.rollback(record.phase, reason)
            raise Breach(f"Phase {record.phase.number} was rolled back: {reason}")

    def tell(self, also: Iterable[Notice] = ()) -> None:
        """Send people the notices that the plan's state calls for and `also` these, each once."""
        if standing := self.journal.standing():
            current, records = standing[0], standing[1].values()
            self._send([*also, *due(records, self.production.clock.now())], current.plan.hash)

    def gate_failed(self, phase: Phase, execution: str, timeout: timedelta) -> str:
        """Handle a failed Observe gate: a rejection rolls back, a gate that nobody answered opens again."""
        plan = current_plan(self.journal).plan
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
            ", which is open again." if again else "."
        )

    def accept(self, phase: Phase) -> PhaseRecord:
        """After a healthy window: the ACCEPT moves, then the sizing record. Finds itself done when it is."""
        plan = current_plan(self.journal).plan
        record = self.journal.phase(plan, phase)
        if record.state is PhaseState.ACCEPTED:
            self._follow(plan, phase)
        if record.state in (*TAKEN, PhaseState.EMPTY):
            return record
        self.switch.allow_change()
        if record.state is PhaseState.OBSERVING:
            self._require_healthy(plan, record)
            record = self.journal.phase(plan, phase)
        if record.state not in (PhaseState.OBSERVING, PhaseState.ACCEPTING):
            raise WrongState(f"Phase {phase.number} is {record.state.value}: only an observed phase can be accepted.")
        if record.state is PhaseState.ACCEPTING:
            self.guard.require_healthy(plan, phase)
        with self.journal.lease(Purpose.ACCEPT, self.settings.build_id) as lease:
            pen = JournalWriter(self.journal, lease)
            self.observation.keep(plan, record, pen)
            if record.state is PhaseState.OBSERVING:
                record = pen.move_phase(plan, record, PhaseState.ACCEPTING, f"Phase {phase.number}: acceptance begins")
            record = pen.attended(plan, record)
            engine = self._engine(plan, phase, pen)
            changes = PhaseChanges(plan, phase, engine, pen).to_accept(self.switch.allow_change)
            for change in changes.values():
                engine.run(plan, phase, change, When.ACCEPT, pen)
            sizing = self._resized(plan, [change.decision for change in changes.values()], engine)
            return pen.accept(plan, record, sizing)

    def rollback(self, phase: Phase, reason: str) -> PhaseRecord:
        """Undo the phase and stop the plan. Safe to repeat; refused once a one-way move has begun.

        Raises WayBackClosed, before anything is changed, when a move cannot be undone any more.
        """
        current = current_plan(self.journal)
        plan = current.plan
        record = self.journal.phase(plan, phase)
        if record.state is PhaseState.ROLLED_BACK:
            return record
        self._require_way_back(plan, record)
        self.switch.allow_undo()
        with self.journal.lease(Purpose.ROLLBACK, self.settings.build_id) as lease:
            pen = JournalWriter(self.journal, lease)
            record = self.journal.phase(plan, phase)
            if record.state is PhaseState.ROLLED_BACK:
                return record  # somebody finished it while this run waited for the lease
            self._require_way_back(plan, record)  # an acceptance may have begun until this moment
            engine = self._engine(plan, phase, pen)
            changes = PhaseChanges(plan, phase, engine, pen).begun(self.switch.allow_undo)
            require_open(self.production, changes, self.journal.moves(plan, phase))
            if record.state is not PhaseState.ROLLING_BACK:
                text = f"Phase {phase.number} is rolled back: {reason}"
                record = pen.move_phase(plan, record, PhaseState.ROLLING_BACK, text, reason=reason)
            if current.state is not PlanState.STOPPED:
                pen.close(plan, PlanState.STOPPED, "The plan stops here; a person may propose anew")
            if reject(self.tooling, self.settings.pipeline_name, phase.stage_name, reason):
                pen.note(plan, phase, f"The gate of {phase.stage_name} was rejected: {reason}")
            engine.undo(plan, phase, changes, pen)
            self.observation.keep(plan, record, pen)
            return pen.move_phase(plan, record, PhaseState.ROLLED_BACK, f"Phase {phase.number} is as it was before")

    def _require_way_back(self, plan: Plan, record: PhaseRecord) -> None:
        """Raises WrongState or OneWayBegun when the phase is not, or no longer, to be rolled back."""
        if PhaseState.ROLLING_BACK not in (record.state, *(step.after for step in next_steps([record.state]))):
            raise WrongState(f"Phase {record.phase.number} is {record.state.value}: there is nothing to roll back.")
        refuse_one_way(self.journal.moves(plan, record.phase))

    def agree(self, stacks: Sequence[Stack]) -> bool:
        """Bring the deployed templates of `stacks` after the account; whether anything was executed."""
        current = self.journal.current()
        with self.journal.lease(Purpose.RECONCILE, self.settings.build_id) as lease:
            pen = JournalWriter(self.journal, lease)

            def note(text: str) -> None:
                self.say(text)
                if current is not None:
                    pen.note(current.plan, None, text)

            return TemplateUpdate(self.production, self.switch.allow_change, lease.keep, note).bring(stacks)

    def reconciled(self) -> list[Phase]:
        """Mark every accepted phase as reconciled; the last one ends the plan."""
        current = current_plan(self.journal)
        plan = current.plan
        accepted = [r for phase in Phase if (r := self.journal.phase(plan, phase)).state is PhaseState.ACCEPTED]
        if current.state is not PlanState.APPROVED:
            return []
        with self.journal.lease(Purpose.RECONCILE, self.settings.build_id) as lease:
            pen = JournalWriter(self.journal, lease)
            for record in accepted:
                number = record.phase.number
                pen.move_phase(plan, record, PhaseState.RECONCILED, f"Phase {number}: code and account agree")
            pen.close_when_finished(plan)
        return [record.phase for record in accepted]

    def _close(self, plan: Plan) -> None:
        """End a plan that is finished: whoever should have ended it died right before."""
        with self.journal.lease(Purpose.WATCH, self.settings.build_id) as lease:
            if current_plan(self.journal).state is PlanState.APPROVED:
                JournalWriter(self.journal, lease).close_when_finished(plan)

    def _begin(self, plan: Plan, phase: Phase, record: PhaseRecord, pen: JournalWriter) -> PhaseRecord:
        """Pre-flight: nothing is being deployed, the service is surely well, and its baseline is kept."""
        now = self.production.clock.now()
        require_aws(self.production, f"Phase {phase.number} does not begin")
        require_no_deployment(self.production, self.regions)
        require_open_days(self.tooling, self.settings.peaks_parameter, self.policy, phase, now)
        recent = self.service.baseline(now)
        require_well(recent, phase, now)
        if self.journal.baseline(plan.hash) is None:
            pen.keep_baseline(plan, recent)
        if (baseline := self.journal.baseline(plan.hash)) is not None:
            self.early_call.put(baseline, self.policy.calendar.applying + self.policy.window)
        return pen.move_phase(plan, record, PhaseState.APPLYING, f"Phase {phase.number} begins", applied_at=now)

    def _require_healthy(self, plan: Plan, record: PhaseRecord) -> None:
        """Raises Unhealthy unless the window is over, surely healthy, and the phase what it was; Breach on a breach."""
        self.observation.require_over(record)
        assessment = self.guard.assess(plan, record)
        if assessment.verdict is not Health.HEALTHY:
            raise Unhealthy(f"Phase {record.phase.number} is held, not accepted: {assessment.reason}.")
        self.observation.require_as_left(plan, record.phase)

    def _afterwards(self, phases: Collection[PhaseRecord] = ()) -> tuple[Phase | None, Assessment | None]:
        """The day after an acceptance; a breach sends a mail and is never undone."""
        outcome = self.observation.afterwards(phases)
        if outcome is None:
            return None, None
        last, assessment = outcome
        if notice := afterwards(last, assessment):
            self._send([notice], last.plan_hash)
        return last.phase, assessment

    def _send(self, notices: Iterable[Notice], plan_hash: str) -> None:
        for subject in send(notices, plan_hash, self.journal, self.tooling, self.settings.topic_arn):
            self.say(f"mail sent: {subject}")

    def _follow(self, plan: Plan, phase: Phase) -> None:
        """Bring the sizing after what AWS varied since a phase was accepted: its reconcile is tried again with that."""
        with self.journal.lease(Purpose.ACCEPT, self.settings.build_id) as lease:
            current = self.journal.sizing()
            sizing = self._engine(plan, phase, None).followed(current.sizing, plan.decisions)
            if sizing != current.sizing:
                JournalWriter(self.journal, lease).follow(SizingRecord(revision=current.revision + 1, sizing=sizing))

    def _resized(self, plan: Plan, decisions: Sequence[Decision], engine: Engine) -> SizingRecord:
        """The sizing in force with these decisions in it: from what was approved; what AWS varies, as it is."""
        current = self.journal.sizing()
        sizing = engine.followed(engine.resized(current.sizing, decisions), plan.decisions)
        return SizingRecord(revision=current.revision + 1, sizing=sizing)

    def changes(self, plan: Plan, phase: Phase, pen: JournalWriter) -> PhaseChanges:
        """The changes that one run makes for the decisions of a phase, under its lease."""
        return PhaseChanges(plan, phase, self._engine(plan, phase, pen), pen)

    def _engine(self, plan: Plan, phase: Phase, pen: JournalWriter | None) -> Engine:
        def settled(wait: timedelta) -> None:
            self.guard.settle(plan, phase, wait, pen)

        look = self.guard.look(plan, phase, pen)
        return Engine(self.production, self.regions, self.policy, self.actions, self.say, self.switch, settled, look)

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
