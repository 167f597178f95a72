"""The guard: judges the service from a plan's first change to the end of the window, whatever job is at work.

The job that applies or accepts judges before each move and while it waits; the watch judges all the time. Whoever sees
a breach first takes the phase back. A job that died is reported by mail, what it left is tended, and after an
hour the phase is taken back unless somebody resumed it. No data is never consent: not surely healthy, no further move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NoReturn, Protocol

from domain.errors import Breach, LeaseLost, Unhealthy, WayBackClosed
from optimizer.action import Action, Tending
from optimizer.execute.control_planes import is_an_event, require_aws
from optimizer.execute.journal import Journal
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.kill_switch import KillSwitch
from optimizer.execute.lease import Purpose
from optimizer.execute.notifications import Notice, held_by_aws, no_way_back, tending_found
from optimizer.execute.observation import Observation
from optimizer.execute.phase_changes import PhaseChanges
from optimizer.execute.records import PhaseRecord, PhaseState
from optimizer.execute.states import UNDER_WAY
from optimizer.model.health import Assessment, Health
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.ports.aws import Aws
from optimizer.ports.settings import Settings

# The first periods after a change are judged together with those right before it: alone, they would be no window yet.
LEAD = timedelta(minutes=30)
PERIOD = timedelta(minutes=5)  # the metrics have no finer one: looking more often shows nothing new
GIVEN_UP = timedelta(hours=1)  # a phase whose job died is taken back after it
RECENT = timedelta(hours=1)
UNCLEAR = timedelta(hours=1)  # how long a job at work waits for data before it ends
AT_WORK = timedelta(0)  # how long the watch waits for a lease that a living job holds


class GuardedPlan(Protocol):
    """The verbs that the guard needs: the lifecycle has them."""

    @property
    def production(self) -> Aws: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def actions(self) -> Mapping[str, Action]: ...
    @property
    def switch(self) -> KillSwitch: ...
    @property
    def observation(self) -> Observation: ...
    def changes(self, plan: Plan, phase: Phase, pen: JournalWriter) -> PhaseChanges: ...
    def rollback(self, phase: Phase, reason: str) -> PhaseRecord: ...
    def tell(self, also: Iterable[Notice] = ()) -> None: ...


@dataclass
class Look:
    """Judges the service for the job at work, at most once a period, and waits while that is unclear."""

    guard: Guard
    plan: Plan
    phase: Phase
    pen: JournalWriter | None
    _seen: tuple[datetime, Assessment] | None = field(default=None, init=False)

    def __call__(self) -> Assessment:
        """The newest assessment: HEALTHY, or INCONCLUSIVE still after an hour.

        Raises Breach once the phase was taken back, Unhealthy when a breach finds no way back.
        """
        clock = self.guard.life.production.clock
        until = clock.now() + UNCLEAR
        while (assessment := self._newest()).verdict is Health.INCONCLUSIVE and clock.now() < until:
            clock.sleep(PERIOD.total_seconds())
            if self.pen:
                self.pen.lease.keep()
        if assessment.verdict is Health.BREACH:
            raise Unhealthy(f"Phase {self.phase.number} is in breach and has no way back: {assessment.reason}.")
        return assessment

    def _newest(self) -> Assessment:
        now = self.guard.now()
        if self._seen is None or now - self._seen[0] >= PERIOD:
            record = self.guard.life.journal.phase(self.plan, self.phase)
            self._seen = now, self.guard.judge(self.plan, record)
        return self._seen[1]


@dataclass(frozen=True)
class Guard:
    """Judges, and takes back."""

    life: GuardedPlan

    def now(self) -> datetime:
        return self.life.production.clock.now()

    def look(self, plan: Plan, phase: Phase, pen: JournalWriter | None) -> Look:
        """The check that the job at work makes before each move and while it waits."""
        return Look(self, plan, phase, pen)

    def judge(self, plan: Plan, record: PhaseRecord) -> Assessment:
        """The service's health since the phase's first change. Raises Breach once the phase was rolled back.

        BREACH is returned where there is nothing to do about it: a rollback is at work, or a one-way move has begun.
        """
        if record.applied_at is None or record.state not in UNDER_WAY:
            return Assessment(Health.HEALTHY, "nothing of this phase is changed")
        one_way = any(each.one_way for each in self.life.journal.moves(plan, record.phase))
        on_its_way = one_way or record.state is PhaseState.ROLLING_BACK
        # With no way back, only the present counts: a breach that is over must not keep the phase from being finished.
        if record.state is PhaseState.APPLYING:
            assessment = self.life.observation.while_changing(plan, record.applied_at - LEAD)
        else:
            start = self.now() - RECENT if on_its_way else record.window_start or record.applied_at - LEAD
            assessment = self.life.observation.since(plan, start)
        if assessment.verdict is Health.BREACH and not on_its_way:
            self.take_back(record, assessment.reason)
        return assessment

    def require_healthy(self, plan: Plan, phase: Phase) -> None:
        """Before a job goes on with a phase. Raises Unhealthy, or Breach once the phase is taken back."""
        assessment = self.judge(plan, self.life.journal.phase(plan, phase))
        if assessment.verdict is not Health.HEALTHY:
            raise Unhealthy(
                f"Phase {phase.number} does not go on: {assessment.reason}. Run it again when that is over; "
                "meanwhile the watch guards what is changed."
            )

    def settle(self, plan: Plan, phase: Phase, wait: timedelta, pen: JournalWriter | None) -> None:
        """Watch health for a while in the middle of a phase. Raises Breach once the phase is taken back."""
        look, clock, end = self.look(plan, phase, pen), self.life.production.clock, self.now() + wait
        while clock.now() < end:
            clock.sleep(PERIOD.total_seconds())
            if pen:
                pen.lease.keep()
            look()

    def take_back(self, record: PhaseRecord, reason: str) -> NoReturn:
        """Roll the phase back, and raise Breach."""
        try:
            require_aws(self.life.production, f"Phase {record.phase.number} is in breach, and held: {reason}")
        except Unhealthy as held:
            self.life.tell([held_by_aws(record.phase, str(held), self.now())])
            raise
        try:
            self.life.rollback(record.phase, reason)
        except WayBackClosed as closed:
            self.life.tell([no_way_back(record.phase, f"{reason}. {closed}", self.now())])
            raise
        when = " while it was applied" if record.state is PhaseState.APPLYING else ""
        raise Breach(f"Phase {record.phase.number} was rolled back{when}: {reason}")

    def watch(self, plan: Plan, record: PhaseRecord) -> Assessment:
        """One look of the watch at a phase that is under way. Raises Breach when it is rolled back by then."""
        if record.state is PhaseState.ROLLING_BACK:
            return self._finish(plan, record)
        if record.state is PhaseState.OBSERVING:
            return self._observe(plan, record)
        assessment = self.judge(plan, record)
        self._attend(plan, record)
        return assessment

    def assess(self, plan: Plan, record: PhaseRecord) -> Assessment:
        """The open window; on a breach the phase is rolled back, and Breach is raised."""
        assessment = self.life.observation.assess(plan, record)
        if assessment.verdict is Health.BREACH:
            self.take_back(record, assessment.reason)
        return assessment

    def _observe(self, plan: Plan, record: PhaseRecord) -> Assessment:
        assessment = self.assess(plan, record)
        self._tend(plan, record.phase)
        if self.life.observation.is_due(record):
            self.life.observation.look_for_changes(plan, record.phase)
        return assessment

    def _finish(self, plan: Plan, record: PhaseRecord) -> Assessment:
        """Go on with a rollback whose job died; a living one is left to its work."""
        try:
            with self.life.journal.lease(Purpose.WATCH, self.life.settings.build_id, AT_WORK):
                pass
        except LeaseLost:
            return self.judge(plan, record)
        self.life.rollback(record.phase, record.reason)
        raise Breach(f"Phase {record.phase.number} was being rolled back; that is finished now: {record.reason}")

    def _tend(self, plan: Plan, phase: Phase) -> None:
        """Tend the changes of an open window, for example carry writes back."""
        if not self._each_change(plan, phase, lambda action: action.tend):
            return
        with self.life.journal.lease(Purpose.WATCH, self.life.settings.build_id) as lease:
            if self.life.journal.phase(plan, phase).state is PhaseState.OBSERVING:  # else accepted or rolled back
                lines = self.life.changes(plan, phase, JournalWriter(self.life.journal, lease)).tend(
                    lambda action: action.tend
                )
                if lines:
                    self.life.tell([tending_found(phase, line) for line in lines])

    def _attend(self, plan: Plan, record: PhaseRecord) -> None:
        """When no job is at work on the phase: say so, tend what it left, and after an hour take the phase back.

        A lease that can be had at once is the proof that none is. The kill switch keeps a phase where it is.
        """
        phase, since = record.phase, record.unattended_since
        if self.life.switch.stops_all():
            return
        with suppress(LeaseLost):
            with self.life.journal.lease(Purpose.WATCH, self.life.settings.build_id, AT_WORK) as lease:
                pen = JournalWriter(self.life.journal, lease)
                record = self.life.journal.phase(plan, phase)
                if record.state not in (PhaseState.APPLYING, PhaseState.ACCEPTING):
                    return
                changes = self.life.changes(plan, phase, pen)
                if since is None:
                    record = pen.unattended(plan, record)
                for way in (lambda action: action.recover, lambda action: action.tend):
                    if self._each_change(plan, phase, way):
                        changes.tend(way)
                given_up = record.state is PhaseState.APPLYING and since is not None and self.now() - since >= GIVEN_UP
                if not given_up or changes.at_work() or is_an_event(self.life.production):
                    return
            self.life.rollback(phase, f"Its job ended at {since:%Y-%m-%d %H:%M} UTC at the latest; nobody resumed it.")
            raise Breach(f"Phase {phase.number} was rolled back: the job that applied it died, and nobody resumed it.")

    def _each_change(self, plan: Plan, phase: Phase, way: Callable[[Action], Tending | None]) -> bool:
        return any(way(self.life.actions[each.action]) for each in plan.to_apply(phase))
