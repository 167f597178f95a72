"""An announced pause is no breach: its errors do not count, and nothing else is forgiven."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from optimizer.model.health import Pause, Sample, Samples, without_pauses

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


def period(minute: int, errors: float = 90.0) -> Sample:
    return Sample(NOON + timedelta(minutes=minute), 7_000, errors, errors, 12.0, errors, errors)


def at(minute: int, second: int = 0) -> datetime:
    return NOON + timedelta(minutes=minute, seconds=second)


@pytest.mark.parametrize(
    ("pause", "cleared"),
    [
        (Pause(at(5, 3), at(6, 20)), [5]),  # within a period, as it begins right after the period's start
        (Pause(at(9), at(11)), [5, 10]),
        (Pause(at(5), None), [5, 10, 15]),  # nobody ended it: ten minutes
        (Pause(at(-20), at(-19)), []),
    ],
)
def test_errors_of_the_periods_of_a_pause_do_not_count(pause: Pause, cleared: list[int]) -> None:
    samples = Samples([period(minute) for minute in (0, 5, 10, 15, 20)], {"group": [period(5)]}, "Europe/Berlin")
    found = without_pauses(samples, [pause])
    assert [each.at.minute for each in found if each.target_5xx is None and each.elb_5xx is None] == cleared
    assert all(each.requests == 7_000 and each.p99_ms == 12.0 for each in found)
    assert (found.groups["group"][0].target_5xx is None) == (5 in cleared)
    assert found.zone == "Europe/Berlin"


def test_without_a_pause_nothing_changes() -> None:
    samples = Samples([period(0)])
    assert without_pauses(samples, []) == samples
