"""The bill by part after each phase is today's bill and what the changes leave of it, to the cent."""

from decimal import Decimal

from domain.sizing import Sizing
from optimizer.costs.breakdown import breakdown
from optimizer.costs.footprint import Surroundings, footprint_of
from optimizer.costs.list_bill import bill

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
SMALLER = Sizing.AS_DESIGNED.model_copy(
    update={"fleet": Sizing.AS_DESIGNED.fleet.model_copy(update={"instance_type": "m5.2xlarge", "desired": 13})}
)


def test_it_adds_up_to_the_bills() -> None:
    today = bill(footprint_of(Sizing.AS_DESIGNED, REGIONS))
    after = bill(footprint_of(SMALLER, REGIONS))
    lines = breakdown(today, [today, after, after])
    assert sum(line.today for line in lines) == today.monthly
    assert sum(line.after[2] for line in lines) == after.monthly
    fleet = {line.item: (line.today, line.after) for line in lines if line.part == "fleet"}
    assert fleet["m5.4xlarge"][1][1:] == (Decimal("0.00"), Decimal("0.00"))
    assert fleet["m5.2xlarge"][0] == 0 < fleet["m5.2xlarge"][1][1]


def test_what_no_sizing_knows_stays_on_the_bill() -> None:
    around = Surroundings({"us-east-1": 3}, {}, {})
    designed, smaller = footprint_of(Sizing.AS_DESIGNED, REGIONS), footprint_of(SMALLER, REGIONS)
    today = footprint_of(Sizing.AS_DESIGNED, REGIONS, surroundings=around)
    lines = breakdown(bill(today), [bill(today.with_change(designed, smaller))])
    (gateways,) = [line for line in lines if line.part == "network"]
    assert gateways.today == gateways.after[0] == Decimal("98.55")
