"""`status`: where the plan stands and what to do next, in one screen. Reading changes nothing.

What cannot be read (a parameter, for example, by a role without that right) is said in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from optimizer.cli.next_step import NextStep, next_step
from optimizer.dashboard.compose.savings import costs_of, what_comes_off
from optimizer.dashboard.view.page import Costs
from optimizer.dashboard.view.status import SavingState
from optimizer.execute.freeze_override import NOTHING
from optimizer.execute.lease import LeaseHolder
from optimizer.execute.lifecycle import Lifecycle
from optimizer.execute.preconditions import is_under_way
from optimizer.execute.records import History, PhaseRecord, PhaseState
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan


@dataclass(frozen=True)
class PhaseLine:
    """The state of one phase. Times are UTC; `verdict` is the last judgement of its window."""

    phase: int
    title: str
    state: str
    reason: str
    since: datetime | None = None
    window_end: datetime | None = None
    verdict: str | None = None
    figures: str | None = None
    judged_at: datetime | None = None


@dataclass(frozen=True)
class LeaseLine:
    """The holder of the plan's lock. `alive`: its job renewed the lease within the last five minutes.

    CodeBuild is not asked: a build that it shows as in progress may hang, and a job may run outside of it.
    """

    owner: str
    purpose: str
    alive: bool
    ends: datetime | None


@dataclass(frozen=True)
class MoneyLine:
    """US dollars a month: the cost before the plan, what accepted changes save, and what the others could save."""

    before: Decimal
    saved: Decimal
    possible: Decimal


@dataclass(frozen=True)
class Status:
    """All that `status` says. `plan` is the hash; None before the first analysis."""

    at: datetime
    plan: str | None
    state: str | None
    held: str | None
    since: datetime | None
    approver: str | None
    phases: tuple[PhaseLine, ...]
    lease: LeaseLine | None
    watched_at: datetime | None
    switch: str
    freeze: str
    next: NextStep
    money: MoneyLine | None
    page: str

    @property
    def document(self) -> dict[str, Any]:
        """The same as JSON values; times in ISO 8601, amounts as text with cents."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def read_status(life: Lifecycle) -> Status:
    """The plan's state from the journal, the lock, the parameters that people set, and the next step."""
    now, history = life.production.clock.now(), life.journal.history()
    record, switch = history.record, _readable(life.switch.position)
    states = {each.phase: each for each in history.phases}
    holder = life.journal.holder()
    lease = _lease(holder, now)
    return Status(
        at=now,
        plan=record.plan.hash if record else None,
        state=record.state.value if record else None,
        held=record.plan.held if record else None,
        since=(record.approved_at or record.proposed_at) if record else None,
        approver=record.approver if record else None,
        phases=tuple(_phase(record.plan, phase, states.get(phase)) for phase in Phase) if record else (),
        lease=lease,
        watched_at=life.journal.heartbeat(),
        switch=switch,
        freeze=_freeze(life),
        next=next_step(record, states, now, switch=switch, at_work=bool(lease and lease.alive)),
        money=_money(costs_of(history, now.date())),
        page=_page(life, history),
    )


def _phase(plan: Plan, phase: Phase, record: PhaseRecord | None) -> PhaseLine:
    number, title = phase.number, phase.title
    if not plan.to_apply(phase):
        return PhaseLine(number, title, "nothing to do", "")
    if record is None:
        return PhaseLine(number, title, PhaseState.WAITING.value, "")
    since, judged = record.unattended_since, record.assessment
    reason = f"no job is at work on it since {since:%Y-%m-%d %H:%M} UTC" if since else record.reason
    return PhaseLine(
        number,
        title,
        record.state.value,
        reason,
        record.since,
        record.window_end,
        judged.verdict.value if judged else None,
        judged.reason if judged else None,
        record.assessed_at,
    )


def _lease(holder: LeaseHolder | None, now: datetime) -> LeaseLine | None:
    """None when the lock is free because its last holder gave it back."""
    if holder is None or holder.ends is None:
        return None
    return LeaseLine(holder.owner.split(" ", 1)[-1], holder.purpose, holder.ends >= now, holder.ends)


def _freeze(life: Lifecycle) -> str:
    held = "on: changed templates are not deployed" if is_under_way(life.journal) else "off"
    parameter = life.settings.override_parameter
    if parameter is None:
        return held

    def value() -> str:
        return life.tooling.ssm.get_parameter(Name=parameter)["Parameter"]["Value"].strip()

    override = _readable(value)
    return held if override == NOTHING else f"{held}; override: {override}"


def _money(costs: Costs | None) -> MoneyLine | None:
    if costs is None:
        return None
    saved, possible = (what_comes_off(costs.steps, each) for each in (SavingState.TAKEN, SavingState.PROJECTED))
    return MoneyLine(costs.before, saved.now, possible.now)


def _page(life: Lifecycle, history: History) -> str:
    """The console's address of the published page, or the command that writes it."""
    bucket, region = life.settings.records_bucket, life.settings.primary_region
    if bucket is None or history.record is None:
        return "python -m optimizer dashboard --out out"
    place = f"s3/object/{bucket}?region={region}&prefix=plans/{history.record.plan.hash}/dashboard.html"
    return f"https://{region}.console.aws.amazon.com/{place}"


def _readable(read: Callable[[], str]) -> str:
    try:
        return read()
    except ClientError as error:
        return f"not readable ({error.response['Error'].get('Code')})"
    except BotoCoreError as error:
        return f"not readable ({error})"


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():
            return f"{value:.2f}"
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
    return value
