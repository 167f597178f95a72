"""Monthly cost of the merged layout: by hand, and for items of known sizes."""

from __future__ import annotations

from typing import Any

import pytest

from domain.indexes import INDEXES
from domain.item_size import item_size
from optimizer.consolidate.mapping import Entity, merged
from optimizer.costs.merged_layout import (
    HeldCopies,
    LayoutUse,
    Recurring,
    added_to_item,
    by_averages,
    by_sample,
    grown,
    monthly_costs,
    recurring,
    share_of_bill,
)
from tests.consolidate.made_platform import texts

HOME, GB = "us-east-1", 10**9
ALL = tuple(INDEXES["users"])


def user(pad: int) -> dict[str, Any]:
    return texts(
        pk="TENANT#0123456789", sk="USER#0123456789", email="ada.lovelace@example.com", tenant_role="0123456789#member",
        tenant_id="0123456789", last_login_at="2027-03-01T08:00:00.000Z",
        name="Ada Lovelace", status="active", pad="x" * pad,
    )  # fmt: skip


@pytest.mark.parametrize("pad", [100, 700, 1500])
def test_what_is_added_is_about_what_the_mapping_adds(pad: int) -> None:
    """A user in three of the four indexes."""
    entries = {name: HeldCopies(1 if name != "by-invitation" else 0, 300) for name in ALL}
    estimated = added_to_item(use(held=HeldCopies(1, 400), indexes=entries), ALL)
    real = item_size(merged(Entity.USERS, user(pad), ALL)) - item_size(user(pad))
    assert real == pytest.approx(estimated, abs=30)
    assert real < 0.5 * item_size(user(100)), "the layout is lean"


@pytest.mark.parametrize(
    ("average", "added", "units"),
    [
        (0, 100, 1.0),
        (300, 100, 1.0),  # all of them stay below 1 KB
        (512, 0, 1.0),
        (512, 102.4, 1.1),  # a tenth comes over 1 KB
        (1024, 102.4, 1.6 / 1.5),
    ],
)
def test_how_many_items_need_a_unit_more(average: float, added: float, units: float) -> None:
    assert grown(average, added).units == pytest.approx(units, abs=0.01)
    assert grown(average, added).size == (1 + added / average if average else 1.0)


def use(**changes: Any) -> LayoutUse:
    known: dict[str, Any] = {
        "table": "users",
        "held": HeldCopies(10**7, 10 * GB),
        "indexes": {"by-email": HeldCopies(10**7, 10 * GB), "by-role": HeldCopies(10**7, 1 * GB)},
        "writes": 4e6,
        "index_writes": {"by-email": 2e6, "by-role": 1e6},
        "reads": 8e6,
        "recovery": True,
    }
    return LayoutUse(**{**known, **changes})


def test_both_sides_of_the_difference() -> None:
    """Items of 1,000 bytes, and entries of by-email that copy them, get 35 more; by-role is dropped: its writes end."""
    found, item = recurring([use()], ["by-email"]), grown(1_000, 35)
    assert added_to_item(use(), ["by-email"]) == len("users#") + len("tap_e") + 24 == 35
    assert found.writes == pytest.approx(6e6 * (item.units - 1) - 1e6)
    assert found.storage_gb == pytest.approx(0.35 + 0.35 - 1)
    assert found.recovery_gb == pytest.approx(0.35)
    assert (found.kept_gb, found.kept_recovery_gb) == (21, 10)


def test_the_share_is_of_what_both_tables_cost() -> None:
    uses = [use()]
    bill = 7 * 0.625 + 8 * 0.125 + 21 * 0.25 + 10 * 0.2
    found = recurring(uses, ["by-email"])
    assert found.writes is not None
    more = found.writes / 1e6 * 0.625 + found.storage_gb * 0.25 + found.recovery_gb * 0.2
    assert share_of_bill(found, uses, HOME) == round(100 * more / bill, 1)


def sized(size: int) -> dict[str, Any]:
    """A user of this size in bytes, in three of the four indexes."""
    return user(size - item_size(user(0)))


def test_items_just_below_a_unit_cost_two_after_and_only_a_sample_tells() -> None:
    """All of 1,000 bytes: none needs a second unit today. As if spread evenly, half of them need it already."""
    one = use(held=HeldCopies(10**6, 10**9), indexes={"by-email": HeldCopies(10**6, 10**9)}, index_writes={})
    sample = by_sample({"users": [sized(1_000)] * 5})
    assert sample(one, ALL).item.units == 2.0
    assert by_averages(one, ALL).item.units < 1.05
    found = recurring([one], ALL, sample)
    assert found.writes == pytest.approx(4e6)


@pytest.mark.parametrize(
    ("sizes", "item", "of_email", "of_role"),
    [
        ((400, 400), 1.0, 1.0, 1.0),
        ((1_000, 400), 1.5, 1.5, 1.0),  # by-email copies all of an item; of by-role no entry comes near 1 KB
        ((2_000, 1_000), 5 / 3, 5 / 3, 1.0),
        ((100_000, 100_000), 1.0, 1.0, 1.0),
    ],
)
def test_each_item_of_a_sample_counts_by_its_own_units(
    sizes: tuple[int, ...], item: float, of_email: float, of_role: float
) -> None:
    growth = by_sample({"users": [sized(each) for each in sizes]})(use(), ALL)
    assert growth.item.units == pytest.approx(item, abs=0.01)
    assert growth.entries["by-email"].units == pytest.approx(of_email, abs=0.01)
    assert growth.entries["by-role"].units == pytest.approx(of_role)
    assert "by-invitation" not in sized(400)
    assert growth.entries["by-invitation"] == by_sample({"users": [sized(400)]})(use(), ALL).entries["by-invitation"]


def test_without_a_sample_the_averages_count() -> None:
    too_large = {**user(10), "blob": {"S": "x" * 409_300}}  # has no place in the merged table: it says nothing
    for sample in ([], [too_large]):
        assert by_sample({"users": sample})(use(), ALL) == by_averages(use(), ALL)


def test_what_is_told_each_month() -> None:
    told = monthly_costs(Recurring(2e6, 0.5, 0.25, 21.0, 10.0), HOME)
    assert [each.quantity for each in told] == [2.0, 0.5, 0.25, 21.0, 10.0]
    assert all(each.monthly for each in told)
    assert monthly_costs(Recurring(None, 0.0, 0.0, 0.0, 0.0), HOME)[0].quantity is None


@pytest.mark.parametrize("changes", [{"writes": None}, {"reads": None}])
def test_what_was_not_measured_is_not_guessed(changes: Any) -> None:
    uses = [use(**changes)]
    assert share_of_bill(recurring(uses, ["by-email"]), uses, HOME) is None


def test_without_a_price_there_is_no_share() -> None:
    assert share_of_bill(Recurring(0.0, 0.0, 0.0, 0.0, 0.0), [use()], "sa-east-1") is None
