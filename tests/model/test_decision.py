"""Criteria and decisions: no data is never consent, and a guard can only say no."""

from __future__ import annotations

import pytest

from optimizer.model.decision import ChangeCost, Choice, Projection, Verdict, brief, decide_by, finite, guard

NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("observed", "limit", "verdict"),
    [
        (10.0, {"at_most": 10.0}, Verdict.PASS),
        (10.1, {"at_most": 10.0}, Verdict.FAIL),
        (10.0, {"below": 10.0}, Verdict.FAIL),
        (9.9, {"below": 10.0}, Verdict.PASS),
        (95.0, {"at_least": 95.0}, Verdict.PASS),
        (94.9, {"at_least": 95.0}, Verdict.FAIL),
        (True, {"equals": True}, Verdict.PASS),
        (False, {"equals": True}, Verdict.FAIL),
        (0, {"equals": 0}, Verdict.PASS),
        (None, {"at_most": 10.0}, Verdict.NO_DATA),
        (None, {"equals": True}, Verdict.NO_DATA),
        (NAN, {"at_most": 10.0}, Verdict.NO_DATA),
        (NAN, {"equals": 1.0}, Verdict.NO_DATA),
        (INFINITE, {"at_least": 1.0}, Verdict.NO_DATA),
        (-INFINITE, {"at_most": 1.0}, Verdict.NO_DATA),
    ],
)
def test_a_criterion_compares_and_says_when_it_cannot(observed, limit, verdict):
    assert brief("x", observed, **limit).verdict is verdict


@pytest.mark.parametrize("limit", [{}, {"at_most": 1.0, "below": 2.0}, {"about": 1.0}])
def test_a_criterion_has_exactly_one_known_limit(limit):
    with pytest.raises((TypeError, KeyError)):
        brief("x", 1.0, **limit)


PASS, FAIL, UNKNOWN = brief("a", 1, at_most=2), guard("b", 3, at_most=2), brief("c", None, at_most=2)
LIFTED = guard("b", 3, at_most=2, lifted=True)


@pytest.mark.parametrize(
    ("criteria", "choice"),
    [
        ((), Choice.NO_DATA),
        ((PASS,), Choice.APPLY),
        ((PASS, FAIL), Choice.KEEP),
        ((PASS, UNKNOWN), Choice.NO_DATA),
        ((PASS, UNKNOWN, FAIL), Choice.KEEP),
        ((PASS, LIFTED), Choice.APPLY),
        ((PASS, guard("d", None, at_most=2, lifted=True)), Choice.NO_DATA),
    ],
)
def test_a_decision_applies_only_when_every_criterion_holds(criteria, choice):
    assert decide_by("action", "resource", criteria, before={}, target={}).choice is choice


def test_the_reason_names_what_failed():
    reason = decide_by("action", "resource", (PASS, FAIL), before={}, target={}).reason
    assert reason == "b: 3 (limit: at most 2)"


@pytest.mark.parametrize("odd", [NAN, INFINITE, -INFINITE])
def test_no_figure_of_a_decision_is_beyond_what_json_can_say(odd):
    decision = decide_by(
        "action",
        "resource",
        (brief("a", odd, at_most=2), PASS),
        before={},
        target={},
        projected=(Projection("p", odd, odd, "%"),),
        costs=(ChangeCost("c", "fleet", "m5.large", "us-east-1", odd),),
    )
    assert decision.criteria[0].observed is None
    assert (decision.projected[0].today, decision.projected[0].after, decision.costs[0].quantity) == (None, None, None)
    assert "nan" not in decision.reason
    assert "inf" not in decision.reason


def test_what_json_lacks_becomes_none_wherever_it_stands():
    assert finite({"a": [1, NAN, (INFINITE, 2.5)], "b": "x", "c": True}) == {
        "a": [1, None, [None, 2.5]],
        "b": "x",
        "c": True,
    }
