"""The bill by part after each phase: today's bill less the savings, to the cent."""

from decimal import Decimal

from domain.sizing import Sizing
from optimizer.costs.breakdown import breakdown
from optimizer.costs.footprint import Footprint, Surroundings, Usage, footprint_of
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


def test_no_cent_moves_on_a_line_that_does_not_change() -> None:
    """The remainder of rounding goes to a line that changes, whichever line is the largest."""
    third = Decimal(100) / 3  # requests in millions, so that no amount is a whole number of cents
    fixed = [Usage("tables", "DynamoDB write request units", region, third) for region in REGIONS[:2]]
    steps = [Footprint((*fixed, Usage("keys", "KMS key", "us-east-1", third / n))) for n in (1, 2, 7)]
    bills = [bill(each) for each in steps]
    lines = breakdown(bills[0], bills[1:])
    for line in lines:
        if line.part == "tables":
            assert {line.today, *line.after} == {line.today}
    for number, each in enumerate(bills[1:]):
        assert sum(line.after[number] for line in lines) == each.monthly
    assert sum(line.today for line in lines) == bills[0].monthly


def test_a_phase_without_a_change_changes_no_amount() -> None:
    today = bill(footprint_of(Sizing.AS_DESIGNED, REGIONS))
    assert all(line.after == (line.today, line.today) for line in breakdown(today, [today, today]))
