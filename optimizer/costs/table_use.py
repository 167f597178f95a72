"""The bill of the tables: requests on demand, storage and continuous backups. Reads only.

Requests are those of the last 30 days, by CloudWatch, of each table and each of its indexes in each Region. Those of a
table with provisioned capacity cost nothing by themselves: they are left out, with a note.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from optimizer.costs.copy_engine import READ_REQUESTS
from optimizer.costs.footprint import WRITES, Usage
from optimizer.costs.merged_layout import RECOVERY, STORAGE
from optimizer.model.resource import Governed, Kind
from optimizer.observe.metrics import Measurements, Query, read_metrics
from optimizer.ports.aws import Aws
from optimizer.resources.tables.table import consumed, is_recoverable, read_table, replica_regions

MONTH = timedelta(days=30)
DAY = 86_400
MILLION, GB = Decimal(10**6), Decimal(10**9)
ITEMS = {"Read": READ_REQUESTS, "Write": WRITES}


@dataclass(frozen=True)
class BilledTable:
    """One table as it is billed. Sizes in bytes; `regions` are those that hold a replica, its own first."""

    name: str
    regions: Sequence[str]
    indexes: Sequence[str]
    on_demand: bool
    stored: int
    covered: int

    def queries(self, region: str, units: str) -> list[Query]:
        """The capacity that the table and its indexes consumed there; `units` is Read or Write."""
        return [consumed(self.name, region, units, index, period=DAY) for index in (None, *self.indexes)]

    def usages(self, measured: Measurements) -> Iterable[Usage]:
        """Each billed item, by the month."""
        for region in self.regions:
            yield Usage("tables", STORAGE, region, self.stored / GB)
            yield Usage("tables", RECOVERY, region, self.covered / GB)
            for units, item in ITEMS.items() if self.on_demand else ():
                series = (measured.of(query, "Sum").values for query in self.queries(region, units))
                yield Usage("tables", item, region, Decimal(sum(float(each.sum()) for each in series)) / MILLION)


@dataclass(frozen=True)
class TableUse:
    """All usages of the governed tables, and in words what is left out of them."""

    usages: tuple[Usage, ...]
    notes: tuple[str, ...]


def read_table_use(aws: Aws, governed: Iterable[Governed]) -> TableUse:
    """The bill of the governed tables for a month like the last one. Raises ClientError."""
    tables = [_read(aws.at(each.region), each.name) for each in governed if each.kind is Kind.TABLE]
    on_demand = [table for table in tables if table.on_demand]
    wanted = [query for t in on_demand for r in t.regions for units in ITEMS for query in t.queries(r, units)]
    end = aws.clock.now().replace(minute=0, second=0, microsecond=0)
    measured = read_metrics(aws, wanted, end - MONTH, end)
    provisioned = sorted(table.name for table in tables if not table.on_demand)
    note = f"Provisioned capacity is left out of the cost of {', '.join(provisioned)}."
    usages = tuple(usage for table in tables for usage in table.usages(measured))
    return TableUse(usages, (note,) if provisioned else ())


def _read(aws: Aws, name: str) -> BilledTable:
    table = read_table(aws, name)
    indexes = table.get("GlobalSecondaryIndexes", [])
    size = table.get("TableSizeBytes", 0)
    return BilledTable(
        name=name,
        regions=(aws.region, *replica_regions(table, aws.region)),
        indexes=sorted(each["IndexName"] for each in indexes),
        on_demand=table.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST",
        stored=size + sum(each.get("IndexSizeBytes", 0) for each in indexes),
        covered=size if is_recoverable(aws, name) else 0,
    )
