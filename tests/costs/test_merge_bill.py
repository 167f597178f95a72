"""The bill of a merge: the bound that counts allow holds for any items, and a sample of items can only say no."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from domain.indexes import INDEXES
from domain.item_size import item_size
from optimizer.costs import merge_bill
from optimizer.costs.merge_bill import MORE, SAMPLED, Figure, refusal
from optimizer.costs.merged_layout import HeldCopies, LayoutUse, least_grown, most_grown
from optimizer.model.decision import Choice, Decision
from tests.consolidate.model import refusal as refused
from tests.consolidate.platform import Platform, lived

HOME = "us-east-1"
KEPT = tuple(INDEXES["users"])


def use(items: int, size: int, **more: Any) -> LayoutUse:
    """Users of this size in bytes, each written 800 times a month."""
    return LayoutUse("users", HeldCopies(items, items * size), {}, 800.0 * items, {}, 1e6, True, **more)


def units(size: float) -> int:
    return int(-(-size // 1_024))


@given(st.lists(st.integers(1, 6_000), min_size=1, max_size=40), st.integers(1, 400))
def test_whatever_the_sizes_are_the_growth_lies_within_the_bound(sizes: Sequence[int], added: int) -> None:
    average = sum(sizes) / len(sizes)
    real = sum(units(size + added) for size in sizes) / sum(map(units, sizes))
    assert least_grown(average, added).units <= real <= most_grown(average, added).units + 1e-9


@pytest.mark.parametrize(
    ("average", "added", "most"),
    [
        (0, 35, 1.0),
        (400, 0, 1.0),
        (400, 24, 1.4),  # each item that needs one more has 1,000 bytes
        (1_000, 24, 2.0),  # all of them can
        (1_024, 24, 2.0),
        (4_096, 24, 1.25),
    ],
)
def test_the_most_that_an_average_allows(average: float, added: float, most: float) -> None:
    assert most_grown(average, added).units == pytest.approx(most)


def test_the_plan_says_the_expected_figure_with_its_bound() -> None:
    bill = merge_bill.merge_bill([use(10_000, 900)], KEPT, HOME)
    least, expected, most = bill.least.usd, bill.expected.usd, bill.most.usd
    assert least is not None
    assert expected is not None
    assert most is not None
    assert 0 <= least < expected < most
    assert bill.bound.startswith("sizes of single items, so that one table costs about $")
    assert f"at least ${least:,.2f} and at most ${most:,.2f}" in bill.bound
    assert [each.after for each in bill.projections] == [float(expected), float(least), float(most)]


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        (("-10.58", "-10.58", "-10.58"), "about $10.58 a month less by DescribeTable's counts;"),
        (("-3", "-4", "-1"), "about $3.00 a month less by DescribeTable's counts, at least $1.00 and at most $4.00;"),
        (("0.5", "-0.2", "2"), "more by DescribeTable's counts, between $0.20 a month less and $2.00 a month more;"),
        (("0.5", "0.2", "2"), "about $0.50 a month more by DescribeTable's counts, at least $0.20 and at most $2.00;"),
    ],
)
def test_the_bound_is_said_in_words(figures: tuple[str, str, str], words: str) -> None:
    assert words in merge_bill.MergeBill(*(merge_bill.Figure(Decimal(each), 0.0) for each in figures)).bound


@pytest.mark.parametrize("uses", [[], [replace(use(10, 900), writes=None)]])
def test_without_tables_or_a_measure_there_is_no_figure(uses: list[LayoutUse]) -> None:
    bill = merge_bill.merge_bill(uses, KEPT, HOME)
    assert (bill.expected.usd, bill.expected.share) == (None, None)
    assert bill.projections == ()
    assert bill.bound == "sizes of single items"


@contextmanager
def table_of(sizes: Sequence[int]) -> Iterator[Platform]:
    with lived(0, 1) as platform:
        users = platform.aws.streams._answers._model.tables["users"]
        for number, size in enumerate(sizes):
            key = (f"TENANT#{number}", f"USER#{number}")
            made = {"pk": {"S": key[0]}, "sk": {"S": key[1]}, "pad": {"S": ""}}
            users.write(key, {**made, "pad": {"S": "x" * (size - item_size(made))}})
        yield platform


def approved(known: LayoutUse) -> Decision:
    bill, target = merge_bill.merge_bill([known], KEPT, HOME), {"layout": {"kept": list(KEPT)}}
    return Decision("table_consolidation", "users", Choice.APPLY, "", (), target=target, projected=bill.projections)


def said(platform: Platform, known: LayoutUse, limit: float | None = 5.0, seen: LayoutUse | None = None) -> str | None:
    return refusal(platform.aws, [known], approved(seen or known), limit, Random(1))


def test_a_sample_that_agrees_leaves_the_change_in() -> None:
    with table_of([400] * 900) as platform:
        assert said(platform, use(900, 400)) is None


def test_one_that_costs_more_than_the_policy_allows_leaves_it_out() -> None:
    with table_of([1_020] * 900) as platform:
        line = said(platform, use(900, 1_020))
        assert line is not None
        assert re.fullmatch(rf"{MORE}: \d\d\.\d % by the sizes of 8\d\d items that were read \(limit 5\.0 %\)", line)


def test_one_that_costs_more_than_the_person_has_seen_leaves_it_out_although_the_guard_is_lifted() -> None:
    """DescribeTable counts about every six hours: the items were small then."""
    with table_of([1_020] * 900) as platform:
        line = said(platform, use(900, 1_020), limit=None, seen=use(900, 100))
        assert line is not None
        assert re.search(r"costs \$0\.4\d more .* 8\d\d items that were read, and the plan said \$0\.04 at most", line)
        assert said(platform, use(900, 1_020), limit=None) is None


def test_a_table_whose_items_cannot_be_read_is_no_consent() -> None:
    with table_of([]) as platform:
        assert said(platform, use(900, 400), limit=None) == (
            f"{MORE}: unknown, since none of the items of users could be read"
        )
        assert said(platform, use(0, 0)) is None  # an empty table has nothing to read


def test_a_scan_that_is_denied_is_no_consent() -> None:
    with table_of([400] * 900) as platform:
        aws = platform.aws

        def denied(**_: Any) -> Any:
            raise refused("AccessDeniedException", "Scan")

        aws.dynamodb.scan = denied
        with pytest.raises(ClientError, match="AccessDenied"):
            refusal(aws, [use(900, 400)], approved(use(900, 400)), 5.0, Random(1))


def test_so_many_items_of_each_table_are_read_and_no_more() -> None:
    with table_of([400] * 3_000) as platform:
        before = platform.between.calls
        said(platform, use(3_000, 400))
        assert platform.between.calls - before == SAMPLED / 100


def test_a_figure_without_a_price_is_none() -> None:
    assert merge_bill.merge_bill([use(10, 900)], KEPT, "sa-east-1").expected == Figure(None, None)
