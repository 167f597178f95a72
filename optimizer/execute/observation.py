"""Observation of the service since a phase was applied, and of changes that somebody else made.

Everything that is judged here is judged against the baseline from before the plan's first change. What a judgement asks
for, as a rollback, is Life's to do.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from botocore.exceptions import ClientError

from domain.errors import ResourceGone, Unhealthy
from optimizer.decide.health import Baseline
from optimizer.decide.replacements import judge_replacements
from optimizer.execute.engine import Say
from optimizer.execute.journal import Journal
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import Purpose
from optimizer.execute.manual_changes import ManualChanges
from optimizer.execute.records import Acceptance, PhaseRecord, PhaseState, WindowEvidence, WindowSnapshot
from optimizer.execute.states import MOVING
from optimizer.model.health import Assessment, Health, Sample, Samples, without_pauses
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.model.resource import Kind, name_in
from optimizer.observe.service_health import ServiceHealth
from optimizer.observe.tenants import tier_uses
from optimizer.ports.aws import Aws
from optimizer.resources.fleet.replacements import replaced_since
from optimizer.resources.fleet.shown import group_of

REMEMBERED = timedelta(hours=1)  # an unchanged verdict is written down no more often than this
ALL_EVERY = 6  # hours; what this phase changed is looked at each hour
RECENT = timedelta(minutes=30)
WATCHED_ON = timedelta(hours=24)  # after an acceptance
NO_PAST = Assessment(Health.INCONCLUSIVE, "no data: what the service was before the plan is not in the journal")
NOTHING_YET = Assessment(Health.INCONCLUSIVE, "no data: the window has no settled period yet")


@dataclass(frozen=True)
class Observation:
    """The service and the resources of a plan, watched. `window`: how long a phase is observed."""

    production: Aws
    journal: Journal
    service: ServiceHealth
    direct_changes: ManualChanges
    window: timedelta
    build_id: str
    say: Say

    def since(self, plan: Plan, start: datetime) -> Assessment:
        """The service from `start` until now."""
        now = self.production.clock.now()
        baseline, samples = self.journal.baseline(plan.hash), self._samples(plan, start, now)
        if baseline is None:
            return NO_PAST
        return self._replaced(plan, start) or (baseline.judge(samples, now) if samples else NOTHING_YET)

    def while_changing(self, plan: Plan, start: datetime) -> Assessment:
        """The service from `start` until now; a gap that is over does not count against what is changed next."""
        now = self.production.clock.now()
        baseline, samples = self.journal.baseline(plan.hash), self._samples(plan, start, now)
        if baseline is None:
            return NO_PAST
        if replaced := self._replaced(plan, start):
            return replaced
        whole = baseline.judge(samples, now) if samples else NOTHING_YET
        recent = _from(samples, now - RECENT)
        if whole.verdict is not Health.INCONCLUSIVE or not recent:
            return whole
        return baseline.judge(recent, now)

    def _replaced(self, plan: Plan, start: datetime) -> Assessment | None:
        """BREACH when a fleet of the plan is killed by its own health check since then, or since the first change.

        No answer of Auto Scaling is no sign: the users' requests are judged in any case, and each look reads it again.
        """
        fleet_actions = {name for name, each in self.direct_changes.actions.items() if each.kind is Kind.FLEET}
        for name in sorted({name_in(each.resource) for each in plan.decisions if each.action in fleet_actions}):
            try:
                replaced = list(replaced_since(self.production, name, start))
                if not replaced:
                    continue
                ours = [each for each in replaced if each >= self._first_change(plan)]
                instances = group_of(self.production, name)["DesiredCapacity"]
            except (ClientError, ResourceGone) as error:
                self.say(f"{name}: what its health checks did cannot be read: {error}")
                continue
            if breach := judge_replacements(name, ours, instances):
                return breach
        return None

    def _samples(self, plan: Plan, start: datetime, now: datetime) -> Samples:
        """As the service was, but for the errors of pauses that the plan announced."""
        return without_pauses(self.service.samples(start, now), self.journal.pauses(plan))

    def assess(self, plan: Plan, record: PhaseRecord) -> Assessment:
        """The open window of a phase; what is news of it is written down."""
        assert record.window_start is not None, "an observed phase has a window"
        assessment, now = self.since(plan, record.window_start), self.production.clock.now()
        if _is_news(record, assessment, now):
            with self.journal.lease(Purpose.WATCH, self.build_id) as lease:
                JournalWriter(self.journal, lease).assess(plan, record, assessment)
        return assessment

    def afterwards(self, phases: Collection[PhaseRecord]) -> tuple[Acceptance, Assessment] | None:
        """The service since the latest acceptance, for a day; None when that is over or tells nothing.

        What another of these phases does to the service meanwhile is that phase's own.
        """
        last, now = self.journal.accepted_last(), self.production.clock.now()
        if last is None or now - last.at >= WATCHED_ON or any(each.state in MOVING for each in phases):
            return None
        baseline = self.journal.baseline(last.plan_hash)
        undone = [each.since for each in phases if each.state is PhaseState.ROLLED_BACK]
        samples = self.service.samples(max([last.at, *undone]), now)
        return (last, baseline.judge(samples, now)) if baseline is not None and samples else None

    def keep(self, plan: Plan, record: PhaseRecord, pen: JournalWriter) -> None:
        """Keep what the window showed, if the phase has one."""
        if record.window_start is None:
            return
        now = self.production.clock.now()
        samples = self.service.samples(record.window_start, now)
        expected = self._baseline(plan).expected_p99([each.at for each in samples])
        tiers = tier_uses(self.production, record.window_start, now, self._first_change(plan))
        pen.keep_window(plan, record.phase, WindowEvidence(tuple(samples), tuple(expected), tiers))

    def is_due(self, record: PhaseRecord) -> bool:
        """Whether nothing was written of an observed phase for an hour; so often is it looked for direct changes."""
        return _is_due(record, self.production.clock.now())

    def look_for_changes(self, plan: Plan, phase: Phase) -> None:
        """Begin the window anew when somebody changed what the phase changed, or, now and then, what was decided on."""
        left = self.journal.left(plan, phase)
        self._take_in(plan, phase, left)
        everything = self.production.clock.now().hour % ALL_EVERY == 0
        self._begin_anew_when_changed(plan, phase, left if everything else [each for each in left if each.own])

    def _take_in(self, plan: Plan, phase: Phase, left: Sequence[WindowSnapshot]) -> None:
        """Watch from now on what could not be read when the window opened, as it is found."""
        kept = {f"{each.action} {each.resource}" for each in left}
        missing = [each for each in plan.decisions if each.key not in kept]
        if not missing:
            return
        with self.journal.lease(Purpose.WATCH, self.build_id) as lease:
            if self.journal.phase(plan, phase).state is not PhaseState.OBSERVING:
                return  # accepted or rolled back meanwhile
            pen = JournalWriter(self.journal, lease)
            own = {f"{each.action} {each.resource}" for each in self.journal.moves(plan, phase)}
            if names := self.direct_changes.keep(plan, phase, missing, own, pen):
                self.say(f"watched for manual changes from now on: {', '.join(names)}")

    def _begin_anew_when_changed(self, plan: Plan, phase: Phase, left: Sequence[WindowSnapshot]) -> str:
        """The reason for a new beginning of the window, or None."""
        changes = self.direct_changes.since(left)
        if not changes:
            return ""
        with self.journal.lease(Purpose.WATCH, self.build_id) as lease:
            pen = JournalWriter(self.journal, lease)
            record = self.journal.phase(plan, phase)
            if record.state is not PhaseState.OBSERVING:
                return ""  # accepted or rolled back meanwhile: by its own hand
            why = f"changed past the pipeline: {'; '.join(str(each) for each in changes)}"
            text = pen.begin_window_anew(plan, record, self.window, why)
            for each in changes:
                pen.keep_left(plan, phase, each.now)
        self.say(text)
        return text

    def require_over(self, record: PhaseRecord) -> None:
        """Raises Unhealthy while the window is open."""
        assert record.window_end is not None, "an observed phase has a window"
        now = self.production.clock.now()
        if now < record.window_end:
            left = record.window_end - now
            raise Unhealthy(
                f"Phase {record.phase.number} is observed until {record.window_end:%Y-%m-%d %H:%M} UTC, "
                f"{left / timedelta(hours=1):.1f} h from now. Approving earlier does not count: retry the stage then."
            )

    def require_as_left(self, plan: Plan, phase: Phase) -> None:
        """Raises Unhealthy when what the phase changed was changed since, in the last hour or for good."""
        if text := self._begin_anew_when_changed(plan, phase, self.journal.left(plan, phase)):
            raise Unhealthy(f"Phase {phase.number} is held, not accepted. {text}. Retry the stage then.")
        if standing := self.direct_changes.standing(self.journal.left(plan, phase)):
            raise Unhealthy(
                f"Phase {phase.number} is held, not accepted: it is not what was approved any more. "
                f"{'; '.join(str(each) for each in standing)}. Put that back and retry the stage 48 h later, "
                f"or roll back: rollback --phase {phase.number} --reason TEXT."
            )

    def _baseline(self, plan: Plan) -> Baseline:
        baseline = self.journal.baseline(plan.hash)
        assert baseline is not None, "it is kept before the first change"
        return baseline

    def _first_change(self, plan: Plan) -> datetime:
        """When the plan changed anything first: what the service was before it, it is compared with."""
        begun = [each.applied_at for each in self.journal.phases(plan).values() if each.applied_at is not None]
        return min(begun, default=self.production.clock.now())


def _is_news(record: PhaseRecord, assessment: Assessment, now: datetime) -> bool:
    """Whether the journal should learn of an assessment: another verdict or doubt, or none kept for an hour."""
    before = record.assessment
    return before is None or _is_other(before, assessment) or _is_due(record, now)


def _is_other(before: Assessment, now: Assessment) -> bool:
    """Whether a person would do another thing: missing data are not what a service that needs a look is."""
    return (before.verdict, before.needs_a_look) != (now.verdict, now.needs_a_look)


def _is_due(record: PhaseRecord, now: datetime) -> bool:
    return record.assessed_at is None or now - record.assessed_at >= REMEMBERED


def _from(samples: Sequence[Sample], at: datetime) -> Sequence[Sample]:
    """The samples from then on, with those of the target groups."""
    part = [each for each in samples if each.at >= at]
    if not isinstance(samples, Samples):
        return part
    groups = {name: [each for each in group if each.at >= at] for name, group in samples.groups.items()}
    return Samples(part, groups, samples.zone)
