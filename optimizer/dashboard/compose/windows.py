"""From the evidence of a phase's window to what its charts and their tables show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from optimizer.dashboard.compose.decisions import HEALTH_MARKS, NOT_JUDGED, PHASE_MARKS
from optimizer.dashboard.format import NO_VALUE, count, hours, percent, short_moment
from optimizer.dashboard.view.limits import ERROR_LIMIT, LATENCY_LIMIT
from optimizer.dashboard.view.page import Milestone, WindowRow, WindowView
from optimizer.dashboard.view.status import Mark
from optimizer.execute.records import History, PhaseRecord, PhaseState, WindowEvidence
from optimizer.model.health import Sample

PERIOD = timedelta(minutes=5)
ROWS, ROW_HOURS = 60, (1, 2, 3, 4, 6, 8, 12, 24)  # at most so many rows, of so many hours each


def windows_of(history: History) -> tuple[WindowView, ...]:
    """One window for every phase that was observed, in order."""
    phases = {each.phase: each for each in history.phases}
    return tuple(
        _window(phases[phase], history.windows[phase])
        for phase in sorted(history.windows, key=lambda each: each.number)
        if phase in phases and history.windows[phase].samples
    )


def error_rate(sample: Sample) -> float | None:
    """Failed requests over all requests; None when nothing at all was published.

    RequestCount counts only requests that reached a target: in a total outage it is missing while
    the load balancer's own errors are not.
    """
    if sample.requests is None and not sample.elb_5xx:
        return None
    elb = sample.elb_5xx or 0.0
    all_requests = (sample.requests or 0.0) + elb
    return ((sample.target_5xx or 0.0) + elb) / all_requests if all_requests else 0.0


def _window(phase: PhaseRecord, evidence: WindowEvidence) -> WindowView:
    samples, expected = on_grid(evidence)
    rates = tuple(error_rate(each) for each in samples)
    return WindowView(
        phase=phase.phase,
        title=f"Phase {phase.phase.number} · {phase.phase.title}",
        mark=_mark(phase),
        reason=phase.reason or (phase.assessment.reason if phase.assessment else ""),
        span=_span(phase, samples),
        start=samples[0].at,
        period=PERIOD,
        p99_ms=tuple(each.p99_ms for each in samples),
        expected_ms=expected,
        limit_ms=tuple(None if each is None else each * LATENCY_LIMIT for each in expected),
        error_rate=rates,
        milestones=_milestones(phase),
        latency_summary=_latency_summary(samples, expected),
        error_summary=_error_summary(samples, rates),
        row_hours=(row_hours := _row_hours(len(samples) * PERIOD)),
        rows=_rows(samples, expected, row_hours),
    )


def on_grid(evidence: WindowEvidence) -> tuple[tuple[Sample, ...], tuple[float | None, ...]]:
    """Samples and expectations of every 5-minute period from the first to the last, the absent ones empty."""
    known = {sample.at: (sample, want) for sample, want in zip(evidence.samples, evidence.expected_p99_ms, strict=True)}
    first, last = min(known), max(known)
    times = [first + PERIOD * number for number in range(round((last - first) / PERIOD) + 1)]
    pairs = [known.get(at, (Sample(at, None, None, None, None), None)) for at in times]
    return tuple(sample for sample, _ in pairs), tuple(want for _, want in pairs)


def _mark(phase: PhaseRecord) -> Mark:
    if phase.state is PhaseState.OBSERVING:
        return HEALTH_MARKS[phase.assessment.verdict] if phase.assessment else NOT_JUDGED
    return PHASE_MARKS[phase.state]


def _milestones(phase: PhaseRecord) -> tuple[Milestone, ...]:
    """The phase's milestones from the journal. It keeps no hour of the gate's approval: accepting follows it."""
    milestones = [
        (phase.applied_at, "Apply began"),
        (phase.window_start, "Window opens"),
        (phase.window_end, "Window ends"),
        (phase.accepted_at, "Accepted"),
        (phase.since if phase.state is PhaseState.ROLLING_BACK else None, "Rollback began"),
        (phase.since if phase.state is PhaseState.ROLLED_BACK else None, "Rolled back"),
    ]
    return tuple(sorted((Milestone(at, label) for at, label in milestones if at), key=lambda each: each.at))


def _span(phase: PhaseRecord, samples: Sequence[Sample]) -> str:
    """The measured share of the window, in words."""
    seen = samples[-1].at + PERIOD - samples[0].at
    if phase.window_start and phase.window_end:
        return f"{hours(seen)} seen of {hours(phase.window_end - phase.window_start)}"
    return f"{hours(seen)} seen"


def _latency_summary(samples: Sequence[Sample], expected: Sequence[float | None]) -> str:
    over = [
        (each.p99_ms / want - 1, each.p99_ms, each.at)
        for each, want in zip(samples, expected, strict=True)
        if each.p99_ms is not None and want
    ]
    missing = _missing(sum(each.p99_ms is None for each in samples), len(samples))
    if not over:
        return f"p99 latency cannot be compared yet.{missing}"
    worst, p99, at = max(over)
    typical = median(share for share, _, _ in over)
    beyond = sum(share > LATENCY_LIMIT - 1 for share, _, _ in over)
    where = "above" if worst >= 0 else "below"
    usual = f"{percent(abs(typical))} {'above' if typical >= 0 else 'below'} expected at the median"
    return (
        f"p99 latency was {usual}, at worst {percent(abs(worst))} {where} ({p99:,.0f} ms, {short_moment(at)}). "
        f"{count(beyond, 'period').capitalize()} of {len(over)} went over the limit of +20 %.{missing}"
    )


def _error_summary(samples: Sequence[Sample], rates: Sequence[float | None]) -> str:
    known = [(rate, each.at) for rate, each in zip(rates, samples, strict=True) if rate is not None]
    missing = _missing(len(samples) - len(known), len(samples))
    if not known:
        return f"No request was seen, so no error rate can be told.{missing}"
    worst, at = max(known)
    beyond = sum(rate > ERROR_LIMIT for rate, _ in known)
    pooled = pooled_error_rate(samples)
    return (
        f"{percent(pooled)} of all requests failed, at worst {percent(worst)} in one period ({short_moment(at)}). "
        f"{count(beyond, 'period').capitalize()} of {len(known)} went over the limit of 0.5 %.{missing}"
    )


def _missing(number: int, whole: int) -> str:
    return f" {count(number, 'period').capitalize()} of {whole} without a datapoint." if number else ""


def pooled_error_rate(samples: Sequence[Sample]) -> float:
    """Failed requests over all requests, over several periods."""
    elb = sum(each.elb_5xx or 0.0 for each in samples)
    requests = sum(each.requests or 0.0 for each in samples) + elb
    return (sum(each.target_5xx or 0.0 for each in samples) + elb) / requests if requests else 0.0


def _row_hours(span: timedelta) -> int:
    """Hours of one row of the table: a window that waited for weeks at its gate still fits on one sheet."""
    return next((each for each in ROW_HOURS if span <= timedelta(hours=each) * ROWS), ROW_HOURS[-1])


def _rows(samples: Sequence[Sample], expected: Sequence[float | None], row_hours: int) -> tuple[WindowRow, ...]:
    by_row: dict[datetime, list[tuple[Sample, float | None]]] = {}
    for sample, want in zip(samples, expected, strict=True):
        begin = sample.at.replace(hour=sample.at.hour // row_hours * row_hours, minute=0, second=0, microsecond=0)
        by_row.setdefault(begin, []).append((sample, want))
    return tuple(_row(begin, pairs) for begin, pairs in by_row.items())


def _row(begin: datetime, pairs: Sequence[tuple[Sample, float | None]]) -> WindowRow:
    samples = [sample for sample, _ in pairs]
    requests = [each.requests for each in samples if each.requests is not None]
    errors = sum((each.target_5xx or 0.0) + (each.elb_5xx or 0.0) for each in samples)
    compared = [(s.p99_ms / want - 1, s.p99_ms) for s, want in pairs if s.p99_ms is not None and want]
    worst = max(compared, default=None)
    known = any(error_rate(each) is not None for each in samples)
    return WindowRow(
        begin=short_moment(begin),
        requests=f"{sum(requests):,.0f}" if requests else NO_VALUE,
        worst_p99=f"{worst[1]:,.0f} ms" if worst else NO_VALUE,
        over_expected=f"{'+' if worst[0] >= 0 else '−'}{percent(abs(worst[0]))}" if worst else NO_VALUE,
        errors=f"{errors:,.0f}" if known else NO_VALUE,
        error_rate=percent(pooled_error_rate(samples)) if known else NO_VALUE,
    )
