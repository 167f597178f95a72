"""Findings rest on lines of the last whole month; costs that the bill does not show are left out."""

from datetime import date
from decimal import Decimal

import pytest

from optimizer.costs.cost_explorer import Cost
from optimizer.costs.findings import findings

TODAY, FEBRUARY = date(2027, 3, 10), date(2027, 2, 1)
RDS, EC2 = "Amazon Relational Database Service", "Amazon Elastic Compute Cloud - Compute"


def line(service: str, kind: str, amount: float, month: date = FEBRUARY) -> Cost:
    cost = Decimal(str(amount))
    return Cost(month, (service, kind), cost, cost, None, estimated=False)


@pytest.mark.parametrize(
    ("case", "lines", "titles"),
    [
        ("nothing", [], []),
        (
            "I/O is a third",
            [line(RDS, "Aurora:StorageIOUsage", 300), line(RDS, "InstanceUsage:db.r6g.xl", 600)],
            ["Aurora I/O-Optimized"],
        ),
        ("I/O is a quarter", [line(RDS, "Aurora:StorageIOUsage", 200), line(RDS, "InstanceUsage:db.r6g.xl", 600)], []),
        ("Intel", [line(EC2, "USW2-BoxUsage:m5.4xlarge", 900)], ["Graviton"]),
        ("Graviton already", [line(EC2, "BoxUsage:m7g.4xlarge", 900)], []),
        ("gp2", [line("EC2 - Other", "EU-EBS:VolumeUsage.gp2", 50)], ["gp3 in the place of gp2"]),
        ("gp3", [line("EC2 - Other", "EBS:VolumeUsage.gp3", 50)], []),
        (
            "NAT",
            [line("EC2 - Other", "NatGateway-Bytes", 50), line("EC2 - Other", "NatGateway-Hours", 99)],
            ["Traffic through NAT gateways"],
        ),
        ("logs", [line("AmazonCloudWatch", "TimedStorage-ByteHrs", 50)], ["Log retention"]),
        ("tables, not logs", [line("Amazon DynamoDB", "TimedStorage-ByteHrs", 50)], []),
        ("not worth saying", [line("EC2 - Other", "NatGateway-Bytes", 4.99)], []),
        ("of another month", [line("EC2 - Other", "NatGateway-Bytes", 50, date(2027, 1, 1))], []),
        (
            "the dearest first",
            [line("EC2 - Other", "NatGateway-Bytes", 50), line(EC2, "BoxUsage:m5.large", 90)],
            ["Graviton", "Traffic through NAT gateways"],
        ),
    ],
)
def test_what_the_bill_recommends(case: str, lines: list[Cost], titles: list[str]) -> None:
    found = findings(lines, TODAY)
    assert [each.title for each in found] == titles, case
    assert all(each.source.startswith("https://") and "February 2027" in each.evidence for each in found)
