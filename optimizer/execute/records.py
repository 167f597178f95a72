"""The journal's contents as typed values: the plan's life, phase by phase and move by move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum

from domain.sizing import SizingRecord
from optimizer.analyze.evidence import PlanEvidence
from optimizer.costs.realised import RealisedWeek
from optimizer.model.decision import Json
from optimizer.model.health import Assessment, Sample
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.observe.tenants import TierUse


class PlanState(Enum):
    """PROPOSED, then APPROVED; STOPPED after a rollback, until a person proposes anew; DONE at the end (states.py)."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    STOPPED = "stopped"
    DONE = "done"


class PhaseState(Enum):
    """The life of one phase (states.py). WAITING: not begun. EMPTY: every decision was vetoed, nothing was changed."""

    WAITING = "waiting"
    APPLYING = "applying"
    OBSERVING = "observing"
    ACCEPTING = "accepting"
    ACCEPTED = "accepted"
    RECONCILED = "reconciled"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    EMPTY = "empty"


class MoveState(Enum):
    """INTENT is written before the call, DONE after its target was seen; the same on the way back."""

    INTENT = "intent"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"


@dataclass(frozen=True)
class PlanRecord:
    """The plan in force and where it stands."""

    plan: Plan
    state: PlanState
    proposed_at: datetime
    approved_at: datetime | None = None
    approver: str | None = None


@dataclass(frozen=True)
class CodeVersion:
    """The code that applied a phase: the hash of its archive, where that is kept, and its commit."""

    sha256: str
    key: str
    revision: str


@dataclass(frozen=True)
class PhaseRecord:
    """The record of one phase. `reason` says why it was rolled back or held; times are UTC."""

    phase: Phase
    state: PhaseState
    since: datetime
    applied_at: datetime | None = None  # the first change; the health baseline ends here
    window_start: datetime | None = None
    window_end: datetime | None = None
    accepted_at: datetime | None = None
    reason: str = ""
    assessment: Assessment | None = None
    assessed_at: datetime | None = None
    unclear_since: datetime | None = None  # the verdict has been INCONCLUSIVE from then on
    unattended_since: datetime | None = None  # no job has been at work on it from then on, at the latest
    vetoed: Mapping[str, str] | None = None  # "action resource" to the reason of the veto
    version: CodeVersion | None = None  # the code that ran apply last


@dataclass(frozen=True)
class Acceptance:
    """The latest acceptance, of whatever plan: the watch goes on for a day after it."""

    plan_hash: str
    phase: Phase
    at: datetime


@dataclass(frozen=True)
class MoveRecord:
    """One move of one action on one resource. `sequence` is its place in the phase."""

    phase: Phase
    sequence: int
    action: str
    resource: str
    name: str
    summary: str
    one_way: bool
    state: MoveState
    at: datetime


@dataclass(frozen=True)
class WindowSnapshot:
    """A resource as it was when a window opened, in its action's description.

    `own`: the phase had changed it. `state` is as it was found last, `applied` as the phase left it where that differs.
    """

    action: str
    resource: str
    kind: str
    name: str
    region: str
    state: Mapping[str, Json]
    own: bool = True
    applied: Mapping[str, Json] | None = None


@dataclass(frozen=True)
class Override:
    """The freeze set aside for one commit. `deployed`: the pipeline has deployed it since."""

    commit: str
    who: str
    reason: str
    at: datetime
    deployed: bool = False


@dataclass(frozen=True)
class PhaseEvent:
    """Something that happened, in a person's words."""

    at: datetime
    phase: Phase | None
    text: str


@dataclass(frozen=True)
class WindowEvidence:
    """The samples of one phase's window and the p99 that the baseline let expect at each; how it was for each tier."""

    samples: tuple[Sample, ...]
    expected_p99_ms: tuple[float | None, ...]
    tiers: tuple[TierUse, ...] = ()


@dataclass(frozen=True)
class Earlier:
    """The plan of which a phase was accepted last, once a newer one is in force: what it saves goes on."""

    plan: Plan
    phases: tuple[PhaseRecord, ...]
    realised: tuple[RealisedWeek, ...]


@dataclass(frozen=True)
class History:
    """The whole journal of one plan: what the dashboard shows.

    `evidence` is None for a plan that was kept without it; `baseline` holds the samples from before the
    plan's first change, and nothing before there was one. `realised` holds the measured weeks since its own
    acceptance; those of the plan that was accepted before it are with `earlier`.
    """

    record: PlanRecord | None
    phases: tuple[PhaseRecord, ...]
    moves: tuple[MoveRecord, ...]
    events: tuple[PhaseEvent, ...]
    windows: Mapping[Phase, WindowEvidence]
    sizing: SizingRecord
    cost_now: Decimal | None
    before: Mapping[str, Json]
    evidence: PlanEvidence | None = None
    baseline: tuple[Sample, ...] = ()
    realised: tuple[RealisedWeek, ...] = ()
    earlier: Earlier | None = None
