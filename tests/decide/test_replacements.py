"""A fleet that is destroyed by its own health check, distinguished from occasional hardware failures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from optimizer.decide.replacements import judge_replacements
from optimizer.model.health import Health

START = datetime(2027, 3, 1, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minutes", "instances", "breach"),
    [
        ([], 8, False),
        ([0], 8, False),  # hardware
        ([0, 1], 8, True),
        ([0, 30], 8, True),
        ([0, 31], 8, False),
        ([0, 40, 80, 120], 8, False),
        ([0, 100, 110], 8, True),
        ([110, 100, 0], 8, True),  # in whatever order
        ([0, 1], 15, False),
        ([0, 1, 2], 15, True),
        ([0, 1], 2, True),
        ([0], 1, False),
        ([0, 1], 0, True),  # nothing is left
    ],
)
def test_a_fifth_of_the_instances_within_half_an_hour_is_a_breach(
    minutes: list[int], instances: int, breach: bool
) -> None:
    found = judge_replacements("tap-fleet", [START + timedelta(minutes=each) for each in minutes], instances)
    assert (found is not None and found.verdict is Health.BREACH) is breach


def test_it_says_how_many_of_which_group_and_when() -> None:
    found = judge_replacements("tap-fleet", [START, START + timedelta(minutes=5)], 8)
    assert found is not None
    assert found.reason == (
        "2 of 8 instances of tap-fleet failed their health checks and were replaced within 30 minutes, "
        "the last at 13:05 UTC"
    )
