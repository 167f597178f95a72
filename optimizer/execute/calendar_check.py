"""The calendar, asked before a phase begins: the announced peaks are a parameter in the tooling account."""

from __future__ import annotations

from datetime import datetime

from domain.errors import NotNow
from optimizer.decide.calendar import in_the_way, may_begin, read_peaks
from optimizer.decide.policy import Policy
from optimizer.model.phase import Phase
from optimizer.ports.aws import Aws


def require_open_days(tooling: Aws, peaks_parameter: str | None, policy: Policy, phase: Phase, now: datetime) -> None:
    """Raises NotNow, naming the earliest moment, when the window would reach into a weekend or an announced peak."""
    announced = tooling.ssm.get_parameter(Name=peaks_parameter)["Parameter"]["Value"] if peaks_parameter else ""
    peaks = read_peaks(announced)
    if closed := in_the_way(now, policy.window, peaks, policy.calendar):
        day, why = closed
        at = may_begin(now, policy.window, peaks, policy.calendar)
        raise NotNow(
            f"Phase {phase.number} does not begin: its window would reach into {why}, {day:%a %Y-%m-%d}. "
            f"Retry the stage from {at:%a %Y-%m-%d %H:%M} UTC on."
        )
