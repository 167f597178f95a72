"""The bill by part after each phase is today's bill and what the sizing changes, to the cent."""

from decimal import Decimal

from optimizer.observe.breakdown import breakdown
from optimizer.observe.costs import bill, footprint_of, plan_costs
from stages.sizing import Sizing

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
SMALLER = Sizing.AS_DESIGNED.model_copy(
    update={"fleet": Sizing.AS_DESIGNED.fleet.model_copy(update={"instance_type": "m5.2xlarge", "desired": 13})}
)


def test_it_adds_up_to_the_plans_costs() -> None:
    today = bill(footprint_of(Sizing.AS_DESIGNED, REGIONS))
    after = bill(footprint_of(SMALLER, REGIONS))
    lines = breakdown(today, today, [today, after, after])
    costs = plan_costs(Sizing.AS_DESIGNED, [("fleet_rightsize", "x", SMALLER)], regions=REGIONS)
    assert sum(line.today for line in lines) == costs.before
    assert sum(line.after[2] for line in lines) == costs.after
    fleet = {line.item: (line.today, line.after) for line in lines if line.part == "fleet"}
    assert fleet["m5.4xlarge"][1][1:] == (Decimal("0.00"), Decimal("0.00"))
    assert fleet["m5.2xlarge"][0] == 0 < fleet["m5.2xlarge"][1][1]


def test_what_no_sizing_knows_stays_on_the_bill() -> None:
    designed = bill(footprint_of(Sizing.AS_DESIGNED, REGIONS))
    measured = bill(footprint_of(SMALLER, REGIONS))  # the account differs from the sizing the plan began with
    lines = breakdown(measured, designed, [designed])
    assert sum(line.after[0] for line in lines) == measured.monthly
