"""`status` as a person reads it: at most one screen of 80 columns and 24 lines. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import datetime

from optimizer.cli.status import LeaseLine, PhaseLine, Status
from optimizer.dashboard.format import dollars_and_cents, person_in

WIDTH, LABEL = 80, 11
REASON = 150  # characters of a phase's reason; the page has the whole


def status_lines(status: Status) -> Iterator[str]:
    """A label and its text per row; what does not apply is left out."""
    yield from _row("Plan", _plan(status))
    for phase in status.phases:
        yield from _row(f"Phase {phase.phase}", _phase(phase))
    open_phase = next((each for each in status.phases if each.verdict and each.state == "observing"), None)
    if open_phase is not None:
        judged = f" ({_time(open_phase.judged_at)})" if open_phase.judged_at else ""
        yield from _row("Verdict", _short(f"{open_phase.verdict}: {open_phase.figures}") + judged)
    yield from _row("Lock", _lease(status.lease, status.at))
    if status.watched_at is not None:
        yield from _row("Watch", f"judged last at {_time(status.watched_at)}")
    yield from _row("Switch", f"{status.switch}; freeze {status.freeze}")
    if status.money is not None:
        yield from _row("Money", _money(status))
    yield from _row("Page", status.page)
    yield from _row("To do", f"{status.next.what}." if status.next.who != "nobody" else f"Nothing. {status.next.what}.")
    yield from _row("Command", status.next.command)


def _plan(status: Status) -> str:
    if status.plan is None:
        return "There is no plan yet."
    state = f"held: {status.held}" if status.held else status.state
    since = f" since {_time(status.since)}" if status.since else ""
    by = f", approved by {person_in(status.approver)}" if status.approver else ""
    return f"{status.plan[:12]} is {state}{since}{by}"


def _phase(phase: PhaseLine) -> str:
    since = f" since {_time(phase.since)}" if phase.since else ""
    until = f", window until {_time(phase.window_end)}" if phase.window_end and phase.state == "observing" else ""
    reason = f": {_short(phase.reason)}" if phase.reason else ""
    return f"{phase.title}: {phase.state}{since}{until}{reason}"


def _lease(lease: LeaseLine | None, now: datetime) -> str:
    if lease is None or lease.ends is None:
        return "free"
    who = f"{lease.purpose} by {lease.owner}"
    if not lease.alive:
        return f"free; {who} held it, did not give it back, and is dead since {_time(lease.ends)} at the latest"
    left = round((lease.ends - now).total_seconds())
    return f"held for {who}; its job lives, or died within the last 5 min (the lock then ends in {left} s)"


def _money(status: Status) -> str:
    assert status.money is not None
    money = status.money
    saved = f"{dollars_and_cents(money.saved)} a month saved so far"
    possible = f", {dollars_and_cents(money.possible)} more possible" if money.possible else ""
    return f"{saved}{possible}; {dollars_and_cents(money.before)} a month before the plan"


def _row(label: str, text: str) -> list[str]:
    """The text beside its label. A command or an address is not broken: a person copies it."""
    if label in ("Page", "Command"):
        return [f"{label:{LABEL}}{text}"]
    return textwrap.wrap(
        text, WIDTH, initial_indent=f"{label:{LABEL}}", subsequent_indent=" " * LABEL, break_on_hyphens=False
    )


def _short(text: str) -> str:
    return textwrap.shorten(text, REASON, placeholder=" ...")


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else ""
