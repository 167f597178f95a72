"""Alarm states by the tables of the CloudWatch User Guide: 0 within the limit, X beyond it, - missing."""

import numpy as np
import pytest

from emulator.services.cloudwatch.alarm_rules import AlarmRule, AlarmState, Missing

OK, ALARM, NO_DATA, KEPT = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA, None
NUMBERS = {"0": 0.0, "X": 9.0, "-": np.nan}


def states(points, datapoints, *, comparison="GreaterThanThreshold", threshold=1.0):
    values = np.array([NUMBERS[each] for each in points.split()])
    rules = [AlarmRule(comparison, threshold, 3, datapoints, missing) for missing in Missing]
    return tuple(rule.states(values)[-1] for rule in rules)


@pytest.mark.parametrize(
    ("points", "expected"),  # by missing, ignore, breaching, notBreaching
    [
        ("0 0 0 X X", (OK, OK, OK, OK)),
        ("0 0 X X X", (ALARM, ALARM, ALARM, ALARM)),
        ("0 - X - X", (OK, OK, OK, OK)),
        ("- - - - 0", (OK, OK, OK, OK)),
        ("- - - - -", (NO_DATA, KEPT, ALARM, OK)),
        ("0 X X - X", (ALARM, ALARM, ALARM, ALARM)),
        ("- - X - -", (ALARM, KEPT, ALARM, OK)),
        ("- - - - X", (NO_DATA, KEPT, ALARM, OK)),
    ],
)
def test_three_out_of_three(points, expected):
    assert states(points, 3) == expected


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ("0 - X - X", (ALARM, ALARM, ALARM, ALARM)),
        ("0 0 X 0 X", (ALARM, ALARM, ALARM, ALARM)),
        ("X X 0 0 X", (OK, OK, OK, OK)),
        ("0 - X - -", (OK, OK, ALARM, OK)),
        ("- - - - 0", (OK, OK, ALARM, OK)),
        ("- - - X -", (ALARM, KEPT, ALARM, OK)),
    ],
)
def test_two_out_of_three(points, expected):
    assert states(points, 2) == expected


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        ("GreaterThanThreshold", OK),
        ("GreaterThanOrEqualToThreshold", ALARM),
        ("LessThanThreshold", OK),
        ("LessThanOrEqualToThreshold", ALARM),
    ],
)
def test_the_limit_itself(comparison, expected):
    assert states("X X X X X", 3, comparison=comparison, threshold=9.0)[0] is expected


def test_every_period_is_evaluated_once():
    rule = AlarmRule("GreaterThanThreshold", 1.0, 1, 1, Missing.MISSING)
    assert rule.states(np.array([0.0, 0.0, 0.0, 9.0, 0.0])) == [OK, ALARM, OK]
