"""Metric math, period by period; nan is a period without a datapoint."""

import numpy as np
import pytest

from emulator.services.cloudwatch.metric_math import evaluate

NONE = np.nan
SERIES = {"a": np.array([1.0, NONE, 3.0]), "b": np.array([2.0, 0.0, NONE]), "none": np.full(3, NONE)}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a + b", [3, NONE, NONE]),
        ("100 * a / (a + FILL(b, 0))", [100 / 3, NONE, 100]),
        ("-a", [-1, NONE, -3]),
        ("a / b", [0.5, NONE, NONE]),
        ("1 / b", [0.5, NONE, NONE]),  # a division by zero has no result
        ("FILL(none, 0)", [0, 0, 0]),
        ("FILL(a, REPEAT)", [1, 1, 3]),
        ("MAX([FILL(a, 0), FILL(b, 0)])", [2, 0, 3]),
        ("MIN([a, b])", [1, 0, 3]),
        ("SUM([a, b])", [3, 0, 3]),
        ("SUM([none, none])", [NONE, NONE, NONE]),
        ("AVG([a, b])", [1.5, 0, 3]),
    ],
)
def test_expressions(expression, expected):
    np.testing.assert_allclose(evaluate(expression, SERIES), expected)


@pytest.mark.parametrize(
    "expression", ["ANOMALY_DETECTION_BAND(a)", "SUM(METRICS())", "MAX(a)", "a ** b", "a b", "RATE(a)"]
)
def test_what_is_not_known_is_not_guessed(expression):
    with pytest.raises(NotImplementedError, match="metric math"):
        evaluate(expression, SERIES)


def test_an_id_that_nobody_gave():
    with pytest.raises(KeyError):
        evaluate("a + c", SERIES)
