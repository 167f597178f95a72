"""Findings worth money that no action carries out: what the bill itself shows. Pure.

Each rests on lines of the last whole month and a rule that AWS publishes; what the bill does not show is
left out. They are for people: nothing here changes anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from optimizer.costs.cost_explorer import Cost, months_before
from optimizer.costs.list_bill import in_cents

IO_SHARE = Decimal("0.25")
WORTH_SAYING = Decimal(5)  # US dollars a month
Lines = Mapping[tuple[str, str], Decimal]  # service and usage type, without the Region's prefix


@dataclass(frozen=True)
class Finding:
    """One recommendation. `costs_now` is what the lines it rests on came to in `month`, in US dollars."""

    title: str
    evidence: str
    advice: str
    costs_now: Decimal
    month: date
    source: str


def findings(costs: Iterable[Cost], today: date) -> tuple[Finding, ...]:
    """Recommendations from the last whole month's lines, the dearest first."""
    month = months_before(today, 1)
    lines: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for cost in costs:
        if cost.start == month:
            lines[cost.group[0], cost.group[1]] += cost.effective
    worth_saying = [finding for rule in RULES for finding in rule(lines, month) if finding.costs_now >= WORTH_SAYING]
    return tuple(sorted(worth_saying, key=lambda each: -each.costs_now))


def _aurora_io(lines: Lines, month: date) -> Iterator[Finding]:
    io = _ending(lines, "Aurora:StorageIOUsage")
    # Backups cost the same either way, so they are no part of the comparison.
    rest = _ending(lines, "Aurora:StorageUsage") + sum(
        (amount for (service, kind), amount in lines.items() if "InstanceUsage:db.r" in kind), Decimal(0)
    )
    whole = io + rest
    if whole and io / whole > IO_SHARE:
        yield Finding(
            "Aurora I/O-Optimized",
            f"I/O is {100 * io / whole:.0f} % of Aurora's ${whole:,.0f} in {month:%B %Y}",
            "Weigh Aurora I/O-Optimized, and again after the plan has made the instances smaller: its share grows then",
            in_cents(io),
            month,
            "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Concepts.Aurora_Fea_Regions_DB-eng.Feature.storage-type.html",
        )


def _graviton(lines: Lines, month: date) -> Iterator[Finding]:
    by_family: dict[str, Decimal] = defaultdict(Decimal)
    for (_, kind), amount in lines.items():
        name = kind.rpartition("BoxUsage:")[2] if "BoxUsage:" in kind else ""
        family = name.partition(".")[0]
        if family and "g" not in family[1:]:
            by_family[family] += amount
    for family, amount in sorted(by_family.items()):
        yield Finding(
            "Graviton",
            f"{family} instances came to ${amount:,.0f} in {month:%B %Y}",
            "Try the image on an arm64 family: AWS gives up to 40 % better price performance; it needs a new build",
            in_cents(amount),
            month,
            "https://aws.amazon.com/ec2/graviton/",
        )


def _gp3(lines: Lines, month: date) -> Iterator[Finding]:
    amount = _ending(lines, "EBS:VolumeUsage.gp2")
    if amount:
        yield Finding(
            "gp3 in the place of gp2",
            f"gp2 volumes came to ${amount:,.0f} in {month:%B %Y}",
            "Modify them to gp3, online: up to 20 % less for a GB",
            in_cents(amount),
            month,
            "https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html",
        )


def _nat(lines: Lines, month: date) -> Iterator[Finding]:
    amount = _ending(lines, "NatGateway-Bytes")
    if amount:
        yield Finding(
            "Traffic through NAT gateways",
            f"NAT gateways processed data for ${amount:,.0f} in {month:%B %Y}",
            "Find by flow logs what it is: DynamoDB and S3 are free through gateway endpoints",
            in_cents(amount),
            month,
            "https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html",
        )


def _logs(lines: Lines, month: date) -> Iterator[Finding]:
    amount = sum(
        (
            amount
            for (service, kind), amount in lines.items()
            if service == "AmazonCloudWatch" and kind.endswith("TimedStorage-ByteHrs")
        ),
        Decimal(0),
    )
    if amount:
        yield Finding(
            "Log retention",
            f"Stored logs came to ${amount:,.0f} in {month:%B %Y}",
            "Set a retention on log groups that have none: logs are kept for ever by default",
            in_cents(amount),
            month,
            "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html",
        )


RULES: Sequence[Callable[[Lines, date], Iterator[Finding]]] = (_aurora_io, _graviton, _gp3, _nat, _logs)


def _ending(lines: Lines, kind: str) -> Decimal:
    """The sum of all lines of a usage type, in whatever Region."""
    return sum((amount for (_, each), amount in lines.items() if each.endswith(kind)), Decimal(0))
