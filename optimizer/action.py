"""The contract of an action: one kind of change, in one file under `optimizer/actions/`.

An action collects evidence, decides on it (pure) and yields moves. A `Move` is one idempotent
change. APPLY moves can be undone and run when the phase is applied; ACCEPT moves cannot, and run
only once the phase was accepted: whether an action is one-way is read off its moves, so that it
cannot lie. Everything that all actions need (dry-run, lease, tenant tags, fingerprint, journal,
polling, resume, rollback) is the engine's, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Protocol

from domain.sizing import Sizing
from optimizer.decide.policy import Policy
from optimizer.model.decision import Decision, Json
from optimizer.model.health import Pause
from optimizer.model.phase import Phase
from optimizer.model.resource import Governed, Kind, Touched
from optimizer.observe.metrics import Measurements, Query
from optimizer.ports.aws import Aws

Before = Mapping[str, Json]
Conditions = Mapping[str, Mapping[str, str | list[str]]]


class When(Enum):
    """APPLY: reversible, in the window. ACCEPT: the irreversible tail, after it."""

    APPLY = "apply"
    ACCEPT = "accept"


@dataclass(frozen=True)
class Move:
    """One idempotent change of one resource.

    `is_done` tells by describing whether the target is reached; `do` asks for it and may return
    before it is reached; the engine polls every `poll` until `deadline`. The same holds for
    `is_undone` and `undo`. A failure that AWS reports later is raised by `is_done` as MoveFailed.
    `name` is stable across runs: the journal knows the move by it. After a move with `settle`, health
    is watched that long before the next move begins. With `is_ready`, the engine waits for it before
    `do` and `undo`: an earlier change may be under way still, and AWS takes one at a time. `closed`
    says why the move cannot be undone any more, and nothing while it can: it is checked before a rollback begins.

    `touches` names what the move changes or destroys beside the resource itself; without it, that is all of
    the resource's parts. Whose these are is read before the move and again right before its call.
    """

    name: str
    when: When
    summary: str
    is_done: Callable[[Aws], bool]
    do: Callable[[Aws], None]
    undo: Callable[[Aws], None] | None = None
    is_undone: Callable[[Aws], bool] | None = None
    is_ready: Callable[[Aws], bool] | None = None
    closed: Callable[[Aws], str] | None = None
    deadline: timedelta = timedelta(hours=1)
    poll: timedelta = timedelta(seconds=30)
    settle: timedelta = timedelta(0)
    touches: Callable[[Aws], Iterable[Touched]] | None = None

    def __post_init__(self) -> None:
        reversible = self.undo is not None and self.is_undone is not None
        if self.when is When.APPLY and not reversible:
            raise TypeError(f"move {self.name!r} runs before acceptance, so it needs undo and is_undone")
        if self.when is When.ACCEPT and (self.undo or self.is_undone):
            raise TypeError(f"move {self.name!r} runs at acceptance, where there is no way back: it cannot have undo")


class Notes(Protocol):
    """Storage for how far a move of hours has come: one document for each change, in the journal.

    Writing renews the plan's lease, and raises LeaseLost once somebody else holds it. `hold` does only that, right
    before a call that must be nobody else's: the kill switch is not asked. `announce` says that requests are refused by
    our own doing from a time on, and, later, until when: health counts no errors of such a pause.
    """

    def read(self) -> Mapping[str, Json] | None: ...
    def write(self, document: Mapping[str, Json]) -> None: ...
    def hold(self) -> None: ...
    def announce(self, pause: Pause) -> None: ...
    def say(self, line: str) -> None: ...


class NoNotes:
    """Notes without a journal: nothing is ever kept."""

    def read(self) -> None:
        return None

    def write(self, document: Mapping[str, Json]) -> None:  # noqa: ARG002 -- as Notes have it
        raise TypeError("a move that keeps notes is carried out with a journal")

    def hold(self) -> None:
        raise TypeError("a move that keeps notes is carried out with a journal")

    def announce(self, pause: Pause) -> None:  # noqa: ARG002 -- as Notes have it
        raise TypeError("a move that keeps notes is carried out with a journal")

    def say(self, line: str) -> None:  # noqa: ARG002 -- as Notes have it
        raise TypeError("a move that keeps notes is carried out with a journal")


@dataclass(frozen=True)
class Permission:
    """One IAM action a move or a collect needs, on which resources.

    Resource patterns may hold {partition}, {account} and {region}. `dependent` marks what AWS
    checks on the caller without a call of ours (as iam:PassRole behind an instance refresh);
    `writes` separates what only the act role gets, and so does `items`: it reads what tenants keep in a table, or the
    key that it is encrypted with; `source` is the page of the Service Authorization Reference or the user guide that
    says so.
    """

    action: str
    resources: tuple[str, ...] = ("*",)
    writes: bool = False
    dependent: bool = False
    conditions: Conditions = field(default_factory=dict)
    source: str = ""
    items: bool = False


def permissions(
    *actions: str,
    resources: tuple[str, ...] = ("*",),
    writes: bool = False,
    dependent: bool = False,
    conditions: Conditions | None = None,
    source: str,
    items: bool = False,
) -> tuple[Permission, ...]:
    """Several IAM actions on the same resources, under the same conditions, by the same page."""
    more = conditions or {}
    return tuple(Permission(each, resources, writes, dependent, more, source, items) for each in actions)


@dataclass(frozen=True)
class Order:
    """`after`: actions whose moves must come first in the same phase; `before`: actions whose moves must come later.

    `conflicts`: never on one resource.
    """

    after: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    before: tuple[str, ...] = ()


Bills = Mapping[tuple[str, str], Decimal]  # by Region and item of the price table

Tending = Callable[[Aws, Governed, Before, Decision, Notes], str]


def _to_all(_governed: Governed) -> bool:
    return True


def _every(_sizing: Sizing, _governed: Governed) -> bool:
    return True


@dataclass(frozen=True)
class Action:
    """One kind of change, as its file declares it at the bottom.

    `queries(governed)` names the metrics that `collect` will want, so that all actions' metrics are
    read in the fewest calls; `collect(aws, governed, measured)` makes the Evidence; `decide(evidence,
    policy)` is pure; `describe(aws, governed)` is the state that a decision rests on and that undo
    restores; `moves(governed, before, decision)` are the changes; `resize(sizing, decision)` is what
    acceptance writes into the sizing record; `varies` names what of `describe` AWS itself changes, as the
    capacity of a group that scales: no sign of somebody's hand. `released` names what people release beside a plan,
    as an image: the window begins anew for it, and a decision is judged anew. `follow(sizing, resource, described)`
    writes what AWS varied into the sizing, so that no template takes it back. Of its kind, the action asks about
    the resources that it `applies_to`: of the others it has nothing to say, not even KEEP. Those that are not
    `sized`, of which the sizing cannot say what became of them, it keeps.

    `veto(aws, approved, evidence, policy)` runs once more right before the change, in the job that makes it, where only
    that job may read, for example items. It returns why the change is left out after all, or None.

    `further(aws, governed)` names metrics that want the resource described first, by the span over which they are
    read; None is the plan's own period. `collect` finds them in `measured.over(span)`. `bills(governed, decision)`
    tells by Region and billed item what a change adds to what runs, below zero what it ends, for a resource of which
    no sizing speaks.

    An action that `keeps_notes` is given them as a fourth argument of `moves`, wherever moves are carried out.
    `tend(aws, governed, before, decision, notes)` is what the watch does for a resource that it `tends` while the
    window of an applied change is open, and `recover`, with the same arguments, what it does at once when the job that
    applied a change has died in the middle: each returns a line for people, empty when there is nothing to say.
    """

    id: str
    phase: Phase
    title: str
    kind: Kind
    queries: Callable[[Governed], Sequence[Query]]
    collect: Callable[[Aws, Governed, Measurements], Any]
    decide: Callable[[Any, Policy], Decision]
    describe: Callable[[Aws, Governed], Before]
    moves: Callable[..., Sequence[Move]]  # (governed, before, decision), and notes where they are kept
    resize: Callable[[Sizing, Decision], Sizing]
    permissions: tuple[Permission, ...]
    order: Order = Order()
    applies_to: Callable[[Governed], bool] = _to_all
    sized: Callable[[Sizing, Governed], bool] = _every
    further: Callable[[Aws, Governed], Mapping[timedelta | None, Sequence[Query]]] | None = None
    bills: Callable[[Governed, Decision], Bills] | None = None
    varies: tuple[str, ...] = ()
    released: tuple[str, ...] = ()
    follow: Callable[[Sizing, str, Before], Sizing] | None = None
    keeps_notes: bool = False
    veto: Callable[[Aws, Decision, Any, Policy], str | None] | None = None
    tends: Callable[[Governed], bool] = _to_all
    tend: Tending | None = None
    recover: Tending | None = None
