"""Savings in execution order: at list price, net of commitments, over time; to the cent."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.list_prices import EMBEDDED
from domain.sizing import Sizing
from optimizer.costs.commitments import Commitments, Committed, Reservation, SavingsPlan
from optimizer.costs.footprint import BACKUP, Footprint, Usage, footprint_of
from optimizer.costs.plan_savings import Step, payback, plan_costs
from optimizer.model.decision import ChangeCost
from optimizer.model.plan_costs import Later, Saving
from optimizer.resources.database.storage import Storage

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
HOME = REGIONS[0]
DESIGN = Sizing.AS_DESIGNED
STORAGE = Storage(volume_gb=Decimal(500), changed_gb_per_day=Decimal(20))
DAY = date(2027, 3, 1)
VOLUMES = Decimal("42.70")  # of seven instances, with their monitoring: nothing reserves those
SOON, LATE = date(2027, 6, 1), date(2027, 12, 1)


def fleet_halved(sizing: Sizing) -> Sizing:
    target = sizing.fleet.model_copy(update={"instance_type": "m5.2xlarge", "minimum": 6, "desired": 8, "maximum": 15})
    return sizing.model_copy(update={"fleet": target})


def backups_14_days(sizing: Sizing) -> Sizing:
    return sizing.model_copy(update={"aurora": sizing.aurora.model_copy(update={"backup_retention_days": 14})})


def writer_resized(sizing: Sizing) -> Sizing:
    instances = tuple(each.model_copy(update={"instance_class": "db.r6g.xlarge"}) for each in sizing.aurora.instances)
    return sizing.model_copy(update={"aurora": sizing.aurora.model_copy(update={"instances": instances})})


def of(sizing: Sizing) -> Footprint:
    return footprint_of(sizing, REGIONS, storage=STORAGE)


def reserved(instances: int, ends: date, monthly: str = "350") -> Reservation:
    cost = Decimal(monthly) * instances
    return Reservation(f"r-{ends}", Committed.EC2, HOME, "m5.4xlarge", Decimal(32 * instances), ends, cost, cost)


FLEET = Step("fleet_rightsize", "tap-fleet", of(fleet_halved(DESIGN)))
BACKUPS = Step("aurora_backups", "tap-database", of(backups_14_days(fleet_halved(DESIGN))))


def test_at_list_price_each_step_is_charged_what_it_takes_off() -> None:
    costs = plan_costs(of(DESIGN), [FLEET, BACKUPS], prices=EMBEDDED, commitments=Commitments(), day=DAY)
    assert [(each.action, each.monthly, each.net, each.stranded) for each in costs.savings] == [
        (
            "fleet_rightsize",
            Decimal("6209.74"),
            Decimal("6209.74"),
            0,
        ),  # 8,409.60 - 0.384 x 730 x 8, and 7 x (50 x 0.08 + 7 x 0.30)
        ("aurora_backups", Decimal("6.72"), Decimal("6.72"), 0),  # 320 GB x 0.021; secondaries keep a day as before
    ]
    assert costs.before - costs.after == Decimal("6216.46")


def test_a_smaller_writer_leaves_the_secondaries_that_are_kept_as_they_are() -> None:
    step = Step("aurora_writer", "tap-database", of(writer_resized(DESIGN)))
    (saving,) = plan_costs(of(DESIGN), [step], prices=EMBEDDED, commitments=None, day=DAY).savings
    assert saving.monthly == Decimal("3409.83")  # 3 x (2.076 - 0.519) x 730, and nothing in Regions 2 and 3


def test_what_is_reserved_saves_nothing_but_its_volumes_until_the_reservation_ends() -> None:
    commitments = Commitments((reserved(15, LATE),))
    (saving,) = plan_costs(of(DESIGN), [FLEET], prices=EMBEDDED, commitments=commitments, day=DAY).savings
    assert saving.monthly == Decimal("6209.74")
    assert saving.net == VOLUMES
    assert saving.stranded == Decimal("3850.00")  # 352 of 480 units of 15 x 350
    assert saving.later == (Later(LATE, Decimal("6209.74"), Decimal("0.00")),)
    assert saving.words == "$42.70 a month until 2027-12-01, then $6,209.74 a month"


def test_each_end_of_a_commitment_frees_its_part() -> None:
    commitments = Commitments((reserved(5, SOON), reserved(10, LATE)))
    (saving,) = plan_costs(of(DESIGN), [FLEET], prices=EMBEDDED, commitments=commitments, day=DAY).savings
    nets = [saving.net, *(each.net for each in saving.later)]
    assert [each.since for each in saving.later] == [SOON, LATE]
    assert nets == [VOLUMES, Decimal("2845.90"), Decimal("6209.74")]  # then 160 of 480 units are paid at list price


def test_the_end_of_another_actions_commitment_changes_nothing() -> None:
    commitments = Commitments((reserved(5, SOON, "333.333"), reserved(10, LATE, "333.337")))
    fleet, backups = plan_costs(of(DESIGN), [FLEET, BACKUPS], prices=EMBEDDED, commitments=commitments, day=DAY).savings
    assert [each.since for each in fleet.later] == [SOON, LATE]
    assert (backups.net, backups.later) == (Decimal("6.72"), ())


def test_a_commitment_that_has_ended_already_counts_no_more() -> None:
    commitments = Commitments((reserved(15, DAY),))
    (saving,) = plan_costs(of(DESIGN), [FLEET], prices=EMBEDDED, commitments=commitments, day=DAY).savings
    assert (saving.net, saving.later) == (Decimal("6209.74"), ())


def test_totals_bear_the_names_of_focus() -> None:
    commitments = Commitments((reserved(15, LATE),))
    costs = plan_costs(of(DESIGN), [FLEET], prices=EMBEDDED, commitments=commitments, day=DAY)
    before, after = costs.totals_before, costs.totals_after
    assert before is not None
    assert after is not None
    assert before.list_cost == costs.before
    assert before.effective_cost == costs.before - Decimal("8409.60") + 5250
    assert (before.stranded, after.stranded) == (0, Decimal("3850.00"))
    assert before.effective_cost - after.effective_cost == VOLUMES


def test_without_known_commitments_only_list_prices_are_told() -> None:
    costs = plan_costs(of(DESIGN), [FLEET], prices=EMBEDDED, commitments=None, day=DAY, notes=("denied",))
    assert (costs.savings[0].net, costs.totals_before, costs.notes) == (None, None, ("denied",))
    assert costs.savings[0].words == "$6,209.74 a month at list price"


@pytest.mark.parametrize(
    ("once", "saving", "months"),
    [
        ("0", Saving("a", "r", Decimal(0)), 0),
        ("50", Saving("a", "r", Decimal(100)), Decimal("0.5")),
        ("50", Saving("a", "r", Decimal(100), net=Decimal(0)), None),
        (
            "50",
            Saving("a", "r", Decimal(100), net=Decimal(0), later=(Later(SOON, Decimal(100), Decimal(0)),)),
            Decimal("3.5"),
        ),
        (
            "500",
            Saving("a", "r", Decimal(100), net=Decimal(10), later=(Later(SOON, Decimal(100), Decimal(0)),)),
            Decimal("7.7"),
        ),
        ("50", Saving("a", "r", Decimal(-1)), None),
    ],
)
def test_payback_waits_for_reservations_to_end(once: str, saving: Saving, months: Decimal | None) -> None:
    assert payback(Decimal(once), saving, DAY) == months


def test_the_change_itself_is_priced() -> None:
    beside = ChangeCost("two instances beside the old ones, for 3 hours", "fleet", "m5.2xlarge", HOME, 6.0)
    step = Step("fleet_rightsize", "tap-fleet", of(fleet_halved(DESIGN)), (beside,))
    (saving,) = plan_costs(of(DESIGN), [step], prices=EMBEDDED, commitments=Commitments(), day=DAY).savings
    assert (saving.once, saving.kept, saving.payback_months) == (Decimal("2.30"), 0, Decimal("0.0"))
    assert saving.notes == ("two instances beside the old ones, for 3 hours: $2.30 once",)


def test_what_is_kept_lessens_the_saving() -> None:
    snapshot = ChangeCost("final snapshot", "database", BACKUP, HOME, 500.0, monthly=True)
    left = FLEET.footprint.plus([Usage("database", BACKUP, HOME, Decimal(500))])
    step = Step("fleet_rightsize", "tap-fleet", left, (snapshot,))
    (saving,) = plan_costs(of(DESIGN), [step], prices=EMBEDDED, commitments=Commitments(), day=DAY).savings
    assert saving.monthly == Decimal("6209.74") - Decimal("10.50")
    assert (saving.once, saving.kept) == (0, Decimal("10.50"))


def test_a_change_without_a_price_is_said() -> None:
    step = Step("a", "r", of(DESIGN), (ChangeCost("backfill", "tables", "write request unit", HOME, 1.0),))
    (saving,) = plan_costs(of(DESIGN), [step], prices=EMBEDDED, commitments=Commitments(), day=DAY).savings
    assert (saving.once, saving.payback_months) == (None, None)
    assert saving.notes[0].startswith("backfill: no price is known for write request unit in us-east-1")


ITEMS = [("fleet", "m5.4xlarge"), ("fleet", "m5.2xlarge"), ("database", "db.r6g.xlarge"), ("database", BACKUP)]
quantities = st.decimals(min_value=0, max_value=400, places=4)
footprints = st.lists(quantities, min_size=len(ITEMS), max_size=len(ITEMS)).map(
    lambda counts: Footprint(
        tuple(Usage(part, item, HOME, count) for (part, item), count in zip(ITEMS, counts, strict=True) if count)
    )
)
amounts = st.decimals(min_value=0, max_value=5000, places=5)
ends = st.dates(date(2027, 1, 1), date(2028, 3, 1))
reservations = st.builds(
    lambda id, units, end, monthly: Reservation(
        id, Committed.EC2, HOME, "m5.2xlarge", units, end, monthly, monthly / 3
    ),
    st.uuids().map(str),
    st.decimals(min_value=0, max_value=900, places=2),
    ends,
    amounts,
)
plans = st.builds(
    lambda monthly, rate, end: SavingsPlan("s", monthly, monthly, rate, end),
    amounts,
    st.decimals(min_value="0.4", max_value=1, places=3),
    ends,
)


@given(
    today=footprints,
    after=st.lists(footprints, min_size=1, max_size=6),
    commitments=st.builds(
        lambda r, s: Commitments(tuple(r), tuple(s)), st.lists(reservations, max_size=3), st.lists(plans, max_size=1)
    ),
)
def test_rows_add_up_to_before_minus_after_to_the_cent(
    today: Footprint, after: list[Footprint], commitments: Commitments
) -> None:
    steps = [Step("action", str(number), footprint) for number, footprint in enumerate(after)]
    costs = plan_costs(today, steps, prices=EMBEDDED, commitments=commitments, day=DAY)
    before, then = costs.totals_before, costs.totals_after
    assert before is not None
    assert then is not None
    cent = Decimal("0.01")
    for saving in costs.savings:
        assert all(
            each == each.quantize(cent) for each in (saving.monthly, saving.net, saving.stranded) if each is not None
        )
    assert (
        sum(each.monthly for each in costs.savings) == costs.before - costs.after == before.list_cost - then.list_cost
    )
    assert sum(each.net or 0 for each in costs.savings) == before.effective_cost - then.effective_cost
    assert sum(each.stranded or 0 for each in costs.savings) == then.stranded - before.stranded
    for totals in (before, then):
        assert totals.stranded >= 0
        assert totals.billed_cost <= totals.effective_cost
