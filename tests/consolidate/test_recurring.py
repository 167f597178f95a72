"""What the merged layout costs from month to month: by hand, for items whose sizes are known."""

from __future__ import annotations

from typing import Any

import pytest

from domain.indexes import INDEXES
from optimizer.consolidate.item_size import item_size
from optimizer.consolidate.mapping import Entity, merged
from optimizer.consolidate.recurring import Recurring, Sample, Size, Use, recurring, sample_of, share_of_bill
from tests.consolidate.made_platform import texts

HOME, GB = "us-east-1", 10**9
ALL = tuple(INDEXES["users"])


def user(pad: int) -> dict[str, Any]:
    return texts(
        pk="TENANT#0123456789", sk="USER#0123456789", email="ada.lovelace@example.com", tenant_role="0123456789#member",
        tenant_id="0123456789", last_login_at="2027-03-01T08:00:00.000Z",
        name="Ada Lovelace", status="active", pad="x" * pad,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("pad", "bytes_", "units", "by_email"),
    [
        (100, (280, 412), (1, 1), (1, 1)),
        (700, (880, 1012), (1, 1), (1, 1)),
        (750, (930, 1062), (1, 2), (1, 2)),
        (1500, (1680, 1812), (2, 2), (2, 2)),
    ],
)
def test_an_item_grows_by_what_its_indexes_need(pad: int, bytes_: Any, units: Any, by_email: Any) -> None:
    sample = sample_of(Entity.USERS, [user(pad)])
    assert (sample.items.today, sample.items.after) == bytes_
    assert (item_size(user(pad)), item_size(merged(Entity.USERS, user(pad), ALL))) == bytes_
    assert (sample.items.units_today, sample.items.units_after) == units
    entry = sample.entries["by-email"]
    assert (entry.units_today, entry.units_after) == by_email
    assert sample.entries["by-invitation"].count == 0
    assert sample.entries["by-role"].units_after == 1


def test_an_index_entry_holds_what_the_index_shows() -> None:
    """So a write of anything else does not touch the index, as it did not in the source."""
    entry = sample_of(Entity.USERS, [user(1500)]).entries["by-role"]
    shown = {"pk", "sk", "tenant_role", "email", "name", "status"}
    assert entry.today == item_size({name: value for name, value in user(0).items() if name in shown})
    assert entry.after < 2 * entry.today


def use(**changes: Any) -> Use:
    sizes = Size(10, 1_000, 1_200, 10, 15)
    known: dict[str, Any] = {
        "size": 10 * GB,
        "index_sizes": {"by-email": 5 * GB, "by-role": 1 * GB},
        "writes": 4e6,
        "index_writes": {"by-email": 2e6, "by-role": 1e6},
        "reads": 8e6,
        "recovery": True,
        "sample": Sample(sizes, {"by-email": sizes, "by-role": Size(10, 500, 500, 10, 10)}),
    }
    return Use(**{**known, **changes})


def test_both_sides_of_the_difference() -> None:
    """Items and entries of by-email need half as many units more; by-role is dropped, and its writes end."""
    found = recurring([use()], ["by-email"])
    assert found.writes == pytest.approx(2e6 + 1e6 - 1e6)
    assert found.storage_gb == pytest.approx(2 + 1 - 1)
    assert found.recovery_gb == pytest.approx(2)
    assert (found.kept_gb, found.kept_recovery_gb) == (16, 10)


def test_the_share_is_of_what_both_tables_cost() -> None:
    uses = [use()]
    bill = 7 * 0.625 + 8 * 0.125 + 16 * 0.25 + 10 * 0.2
    more = 2 * 0.625 + 2 * 0.25 + 2 * 0.2
    assert share_of_bill(recurring(uses, ["by-email"]), uses, HOME) == round(100 * more / bill, 1)


@pytest.mark.parametrize("changes", [{"writes": None}, {"reads": None}])
def test_what_was_not_measured_is_not_guessed(changes: Any) -> None:
    uses = [use(**changes)]
    assert share_of_bill(recurring(uses, ["by-email"]), uses, HOME) is None


def test_without_a_price_there_is_no_share() -> None:
    assert share_of_bill(Recurring(0.0, 0.0, 0.0, 0.0, 0.0), [use()], "sa-east-1") is None
