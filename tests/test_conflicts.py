"""Conflicting actions on one resource: the first in order goes, the other says why it does not."""

from types import SimpleNamespace

import pytest

from optimizer.action import Order
from optimizer.analyze.analysis import without_conflicts
from optimizer.model.decision import Choice, Decision

MERGE = SimpleNamespace(id="merge", title="Merge tables", order=Order(conflicts=("trim",)))
TRIM = SimpleNamespace(id="trim", title="Trim tables", order=Order(after=("merge",)))


def decision(action, resource="users", choice=Choice.APPLY):
    return Decision(action, resource, choice, "because", ())


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        ([decision("merge"), decision("trim")], [Choice.APPLY, Choice.KEEP]),
        ([decision("trim"), decision("merge")], [Choice.APPLY, Choice.KEEP]),  # declared on either side
        ([decision("merge"), decision("trim", "tenants")], [Choice.APPLY, Choice.APPLY]),
        ([decision("merge", choice=Choice.KEEP), decision("trim")], [Choice.KEEP, Choice.APPLY]),
        ([decision("merge", choice=Choice.NO_DATA), decision("trim")], [Choice.NO_DATA, Choice.APPLY]),
        ([decision("trim"), decision("trim", "tenants")], [Choice.APPLY, Choice.APPLY]),
    ],
)
def test_two_conflicting_actions_never_both_apply(decisions, expected):
    settled = without_conflicts([MERGE, TRIM], decisions)
    assert [each.choice for each in settled] == expected


def test_the_reason_names_the_other_action():
    _, kept = without_conflicts([MERGE, TRIM], [decision("merge"), decision("trim")])
    assert kept.reason == f'"{MERGE.title}" changes the same resource and goes first'
    assert kept.criteria[-1].observed == MERGE.title
