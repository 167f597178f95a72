"""Decisions with their reasons, and criteria with their verdicts. Pure values.

The brief's thresholds come first; guards stand on top and can only say no. A criterion whose value
was not measured is NO_DATA, and no data is never consent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

Json = Any  # a JSON value: str, int, float, bool, None, list or dict of them
Measured = float | int | str | bool | None


def finite(value: Json) -> Json:
    """The value with None for each number that JSON has no word for: NaN and the infinities (RFC 8259, section 6)."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value  # most are: asking whether it is a mapping takes longer
    if isinstance(value, Mapping):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return value


class Origin(Enum):
    """The source of a criterion: the brief, or a guard that the brief's rule lacks."""

    BRIEF = "brief"
    GUARD = "guard"


class Verdict(Enum):
    """The result of one criterion. LIFTED is a guard that a recorded policy flag set aside."""

    PASS = "pass"  # noqa: S105 -- a verdict, not a word to log in with
    FAIL = "fail"
    NO_DATA = "no data"
    LIFTED = "lifted"


class Choice(Enum):
    """The decision about one action on one resource."""

    APPLY = "APPLY"
    KEEP = "KEEP"
    NO_DATA = "NO_DATA"


@dataclass(frozen=True)
class Criterion:
    """One test of the evidence: the observed value, its limit, and the verdict.

    `comparison` reads between the two: "at most", "below", "at least", "is". A name of the form
    `PART: CRITERION` is about a part of the resource, for example one index of a table.
    """

    name: str
    origin: Origin
    observed: Measured
    comparison: str
    limit: Measured
    unit: str
    verdict: Verdict
    source: str = ""

    def sentence(self) -> str:
        """The criterion as a person reads it."""
        limit = _worded(self.limit, self.unit)
        bound = f"must be {limit}" if self.comparison == "is" else f"limit: {self.comparison} {limit}"
        observed = "no data" if self.verdict is Verdict.NO_DATA else _worded(self.observed, self.unit)
        return f"{self.name}: {observed} ({bound})"


@dataclass(frozen=True)
class Projection:
    """One figure as it is today and as it is expected after the change."""

    name: str
    today: float | None
    after: float | None
    unit: str


@dataclass(frozen=True)
class ChangeCost:
    """The cost of a change itself, as a quantity of a billed item: once in all, or `monthly` from then on.

    `part` is the part of the platform that pays; hours for what is priced by the hour, GB-months and so on.
    A `quantity` that was not measured is None, and said; below zero it is use that ends with the change.
    """

    name: str
    part: str
    item: str
    region: str
    quantity: float | None
    monthly: bool = False


@dataclass(frozen=True)
class Decision:
    """The decision about one resource by one action, and its reason.

    `before` is the resource as the decision saw it (its fingerprint); `target` is what it shall
    become, in the action's own words; `undo` says what the way back costs; `costs` what the way there does.
    `unmeasured` names what nobody publishes and the policy does not require: it vetoes nothing, and is said.
    """

    action: str
    resource: str
    choice: Choice
    reason: str
    criteria: tuple[Criterion, ...]
    before: Mapping[str, Json] = field(default_factory=dict)
    target: Mapping[str, Json] = field(default_factory=dict)
    projected: tuple[Projection, ...] = ()
    undo: str = ""
    costs: tuple[ChangeCost, ...] = ()
    unmeasured: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The key that tells it from every other decision of a plan."""
        return f"{self.action} {self.resource}"


def brief(name: str, observed: Measured, *, unit: str = "", source: str = "the brief", **limit: Measured) -> Criterion:
    """A criterion of the brief. Exactly one of at_most, below, at_least, equals."""
    return _criterion(name, Origin.BRIEF, observed, unit, source, limit)


def guard(
    name: str, observed: Measured, *, unit: str = "", source: str = "", lifted: bool = False, **limit: Measured
) -> Criterion:
    """A guard on top of the brief. `lifted` comes from an explicit, recorded policy flag."""
    criterion = _criterion(name, Origin.GUARD, observed, unit, source, limit)
    return replace(criterion, verdict=Verdict.LIFTED) if lifted and criterion.verdict is Verdict.FAIL else criterion


def decide_by(
    action: str,
    resource: str,
    criteria: tuple[Criterion, ...],
    *,
    before: Mapping[str, Json],
    target: Mapping[str, Json],
    projected: tuple[Projection, ...] = (),
    undo: str = "",
    costs: tuple[ChangeCost, ...] = (),
    unmeasured: tuple[str, ...] = (),
) -> Decision:
    """APPLY when every criterion passed; NO_DATA when any was not measured; else KEEP, with the reasons."""
    failed = [c for c in criteria if c.verdict is Verdict.FAIL]
    unmet = [c for c in criteria if c.verdict is Verdict.NO_DATA]
    if failed:
        choice, reason = Choice.KEEP, "; ".join(c.sentence() for c in failed)
    elif unmet or not criteria:
        choice, reason = Choice.NO_DATA, "; ".join(c.sentence() for c in unmet) or "nothing was measured"
    else:
        choice, reason = Choice.APPLY, f"all {len(criteria)} criteria hold"
        reason += f"; not measured: {', '.join(unmeasured)}" if unmeasured else ""
    projections = tuple(replace(each, today=finite(each.today), after=finite(each.after)) for each in projected)
    spent = tuple(replace(each, quantity=finite(each.quantity)) for each in costs)
    return Decision(action, resource, choice, reason, criteria, before, target, projections, undo, spent, unmeasured)


def _criterion(
    name: str, origin: Origin, observed: Measured, unit: str, source: str, limit: Mapping[str, Measured]
) -> Criterion:
    if len(limit) != 1:
        raise TypeError(
            f"criterion {name!r} needs exactly one of at_most, below, at_least, equals; got {sorted(limit)}"
        )
    ((kind, bound),) = limit.items()
    comparison = {"at_most": "at most", "below": "below", "at_least": "at least", "equals": "is"}[kind]
    observed = finite(observed)  # a mean over nothing is NaN, a share of nothing infinite: neither was measured
    if observed is None:
        verdict = Verdict.NO_DATA
    elif kind == "equals":
        verdict = Verdict.PASS if observed == bound else Verdict.FAIL
    else:
        value, mark = float(observed), float(bound)  # type: ignore[arg-type]  # numbers, by the three comparisons
        holds = {"at_most": value <= mark, "below": value < mark, "at_least": value >= mark}[kind]
        verdict = Verdict.PASS if holds else Verdict.FAIL
    return Criterion(name, origin, observed, comparison, bound, unit, verdict, source)


def _worded(value: Measured, unit: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = (
        f"{value:,.4g}"
        if isinstance(value, float) and abs(value) < 10_000
        else f"{value:,.0f}"
        if isinstance(value, float)
        else str(value)
    )
    return f"{text} {unit}".strip()
