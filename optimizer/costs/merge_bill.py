"""The bill of a merge: as the plan shows it, with its error bound, and as a sample of items tells it before the change.

The plan knows DescribeTable's counts alone, since whoever analyses reads no item (docs/adr/0032). A person approves the
expected figure with the least and the most that these counts allow. The job that changes the tables may read items: it
takes a sample, and leaves the change out when that says more than the policy allows or than the person has seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from optimizer.costs.merged_layout import (
    Grow,
    HeldCopies,
    LayoutUse,
    at_least,
    at_most,
    by_averages,
    by_sample,
    monthly_usd,
    recurring,
    share_of_bill,
)
from optimizer.model.decision import Decision, Projection
from optimizer.observe.metrics import Measurements
from optimizer.ports.aws import Aws
from optimizer.resources.tables.index_use import IndexUse
from optimizer.resources.tables.items import sample_items
from optimizer.resources.tables.table import consumed, is_recoverable

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TableDescriptionTypeDef

MONTH = timedelta(days=30.4375)
SAMPLED = 1_000  # items of each table, whose sizes tell what the layout costs
MORE = "what one table costs more a month, of both tables' bill"
EXPECTED = "what one table costs more a month, as expected"
LEAST, MOST = EXPECTED.replace("as expected", "at least"), EXPECTED.replace("as expected", "at most")


@dataclass(frozen=True)
class Figure:
    """The monthly difference of one table to two: in USD, and in percent of both tables' bill; below zero, less.

    None without a measure or a price.
    """

    usd: Decimal | None
    share: float | None


@dataclass(frozen=True)
class MergeBill:
    """The figure estimated from DescribeTable's counts, and the least and the most that these allow."""

    expected: Figure
    least: Figure
    most: Figure

    @property
    def bound(self) -> str:
        """A line that names the measure that is missing, and the bounds of the figure."""
        usd = [each.usd for each in (self.expected, self.least, self.most) if each.usd is not None]
        if len(usd) < 3:
            return "sizes of single items"
        expected, least, most = usd
        return (
            f"sizes of single items, so that one table costs about {_change(expected)} by DescribeTable's counts"
            f"{_bounds(least, most)}; {SAMPLED:,} items of each table are read right before the change"
        )

    @property
    def projections(self) -> tuple[Projection, ...]:
        """The three figures, as the page and `explain` show them."""
        return tuple(
            Projection(name, None, float(figure.usd), "USD")
            for name, figure in ((EXPECTED, self.expected), (LEAST, self.least), (MOST, self.most))
            if figure.usd is not None
        )


def _change(usd: Decimal) -> str:
    """`$10.58 a month less`."""
    return f"${abs(usd):,.2f} a month {'less' if usd < 0 else 'more'}"


def _bounds(least: Decimal, most: Decimal) -> str:
    """`, at least $0.10 and at most $0.40`; nothing where both read the same, each with its sign where these differ."""
    if f"{least:.2f}" == f"{most:.2f}":
        return ""
    if (least < 0) != (most < 0):
        return f", between {_change(least)} and {_change(most)}"
    low, high = sorted(abs(each) for each in (least, most))
    return f", at least ${low:,.2f} and at most ${high:,.2f}"


def merge_bill(uses: Sequence[LayoutUse], kept: Sequence[str], region: str) -> MergeBill:
    """The bill as far as the counts tell; no figure without tables."""
    return MergeBill(*(_figure(uses, kept, region, grow) for grow in (by_averages, at_least, at_most)))


def most_seen(approved: Decision) -> float | None:
    """The most that one table costs more a month, in USD, as the approved decision says it."""
    return next((each.after for each in approved.projected if each.name == MOST), None)


def refusal(aws: Aws, uses: Sequence[LayoutUse], approved: Decision, limit: float | None, chance: Random) -> str | None:
    """The reason to leave the change out, by a sample of items; None when there is none.

    The layout is the approved one, though more indexes may be unused since. `limit` is in percent, None when it is
    lifted: then what the person has seen is the limit. A table whose items are counted by DescribeTable and cannot be
    read says nothing, which is no consent.
    """
    sample = {use.table: sample_items(aws, use.table, use.held.items, SAMPLED, chance) for use in uses}
    if empty := [use.table for use in uses if use.held.items and not sample[use.table]]:
        return f"{MORE}: unknown, since none of the items of {' and '.join(empty)} could be read"
    read = f"by the sizes of {sum(map(len, sample.values())):,} items that were read"
    figure = _figure(uses, approved.target["layout"]["kept"], aws.region, by_sample(sample))
    most = most_seen(approved)
    if figure.share is None or figure.usd is None or most is None:
        return f"{MORE}: unknown, without a measure or a price"
    if limit is not None and figure.share > limit:
        return f"{MORE}: {figure.share} % {read} (limit {limit} %)"
    if round(figure.usd, 2) > round(Decimal(most), 2):
        return f"one table costs ${figure.usd:,.2f} more a month {read}, and the plan said ${most:,.2f} at most"
    return None


def read_use(
    aws: Aws, shown: TableDescriptionTypeDef, region: str, indexes: Mapping[str, IndexUse], measured: Measurements
) -> LayoutUse:
    """One source with its size and its consumption."""
    name = shown["TableName"]
    months = (measured.end - measured.start) / MONTH
    monthly = {
        units: float(series.values.sum()) / months if len(series.values) else None
        for units in ("Write", "Read")
        for series in [measured.of(consumed(name, region, units), "Sum")]
    }
    return LayoutUse(
        table=name,
        held=HeldCopies(shown.get("ItemCount", 0), shown.get("TableSizeBytes", 0)),
        indexes={
            each["IndexName"]: HeldCopies(each.get("ItemCount", 0), each.get("IndexSizeBytes", 0))
            for each in shown.get("GlobalSecondaryIndexes", [])
        },
        writes=monthly["Write"],
        index_writes={index: use.monthly_writes for index, use in indexes.items()},
        reads=monthly["Read"],
        recovery=is_recoverable(aws, name),
    )


def _figure(uses: Sequence[LayoutUse], kept: Sequence[str], region: str, grow: Grow) -> Figure:
    if not uses:
        return Figure(None, None)
    found = recurring(uses, kept, grow)
    return Figure(monthly_usd(found, region), share_of_bill(found, uses, region))
