"""Clear amounts: saved, projected and possible, no $0.00 without a reason, an interval of one number."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from optimizer.dashboard.compose.money import monthly_bill
from optimizer.dashboard.compose.page import view_of
from optimizer.dashboard.figures import evidence as charts
from optimizer.dashboard.figures.style import PENDING, POSSIBLE, TAKEN
from optimizer.dashboard.format import interval
from optimizer.dashboard.render import render
from optimizer.execute.records import History
from tests.dashboard import made_histories as made


def bands(history: History) -> dict[str, str]:
    timeline = view_of(history).timeline
    assert timeline is not None
    return {each.name: each.fillcolor for each in charts.savings(timeline).data if each.stackgroup}


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (made.proposed(), {"Phase 2, possible": POSSIBLE, "Phase 3, possible": POSSIBLE}),
        (
            made.accepted(),
            {
                "Phase 2, projected": PENDING,
                "Phase 3, projected": PENDING,
                "Phase 2, saved": TAKEN,
                "Phase 3, saved": TAKEN,
            },
        ),
    ],
)
def test_saved_projected_and_possible_are_three_words_and_three_colours(
    history: History, expected: dict[str, str]
) -> None:
    assert bands(history) == expected


def test_only_the_past_is_coloured_as_saved() -> None:
    view = view_of(made.accepted())
    assert view.timeline is not None
    saved = [each for each in charts.savings(view.timeline).data if each.fillcolor == TAKEN]
    as_of = f"{view.timeline.as_of:%Y-%m-%d}"
    assert all(max(str(at) for at in each.x)[:10] <= as_of for each in saved)


def test_what_saves_nothing_says_why() -> None:
    history = made.accepted()
    record = history.record
    assert record is not None
    assert record.plan.costs is not None
    none = tuple(replace(each, monthly=Decimal(0), net=None, later=()) for each in record.plan.costs.savings)
    plan = replace(record.plan, costs=replace(record.plan.costs, savings=none))
    view = view_of(replace(history, record=replace(record, plan=plan)))
    assert [each.saving for each in view.decisions] == ["$0.00", "$0.00"]
    assert all("nothing that is billed" in each.saving_note for each in view.decisions)
    assert view.costs is not None
    assert [each.label for each in view.costs.shown] == ["2 further changes that save nothing"]


def test_what_changes_comes_first_and_what_is_kept_is_grouped() -> None:
    view = view_of(made.kept())
    assert [len(group.rows) for group in view.kept] == [1, 1]
    assert view.kept[0].reason.startswith("p95 CPU: 43.1 % (limit: below 20 %)")
    assert view_of(made.accepted()).kept == ()
    savings = [each.monthly for each in view_of(made.accepted()).decisions]
    assert savings == sorted(savings, reverse=True)


def test_after_the_plan_the_forecast_is_that_of_the_new_footprint() -> None:
    money = made.money()
    before = monthly_bill(money)
    month = money.forecast[0].month
    after = monthly_bill(money, Decimal(1000), month - timedelta(days=1))
    assert before is not None
    assert after is not None
    assert [was.cost - now.cost for was, now in zip(before.ahead, after.ahead, strict=True)] == [
        Decimal(1000) for _ in before.ahead
    ]
    assert "With what was accepted" in after.summary
    assert (before.label, after.label) == ("ahead, nothing changed", "ahead, with what was accepted")
    within = monthly_bill(money, Decimal(1000), date(month.year, month.month, 15))
    assert within is not None
    assert 0 < before.ahead[0].cost - within.ahead[0].cost < 1000


def test_an_interval_that_is_one_number_is_told_as_one() -> None:
    assert interval(Decimal("10.2"), Decimal("10.4")) == "$10"
    assert interval(Decimal(10), Decimal(12)) == "$10 to $12"


def test_what_happened_is_in_the_order_of_time() -> None:
    history = made.accepted()
    many = replace(
        history, events=tuple(replace(history.events[0], at=made.START + timedelta(hours=n)) for n in range(90))
    )
    view = view_of(replace(many, events=many.events[::-1]))
    assert view.events[0].at == "Mon 1 Mar 2027, 08:00 UTC"
    assert view.events[1].at == "Mon 1 Mar 2027, 09:00 UTC"


def test_a_row_says_what_its_change_costs_by_itself() -> None:
    """As the merged table does from month to month."""
    history = made.accepted()
    record = history.record
    assert record is not None
    assert record.plan.costs is not None
    first, *others = record.plan.costs.savings
    costs = replace(record.plan.costs, savings=(replace(first, kept=Decimal("0.42")), *others))
    view = view_of(replace(history, record=replace(record, plan=replace(record.plan, costs=costs))))
    notes = [each.saving_note for each in view.decisions]
    assert [each for each in notes if each.endswith("; costs $0.42 of its own, in that already")] == notes[:1]
    assert notes[0] in render(view)
