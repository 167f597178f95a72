"""Reservations and Savings Plans from Cost Explorer, in few requests."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import CostsUnknown
from optimizer.costs.commitment_use import CommittedMonth, Used
from optimizer.costs.commitments import Commitments, Committed, Reservation
from optimizer.costs.cost_explorer import CostExplorer
from optimizer.costs.read_commitments import _reservation, read_commitments
from optimizer.costs.read_savings_plans import POOLED
from tests.costs.answers import ACCESS_DENIED, Recorded

UTILIZATION = {
    "UtilizationPercentage": "80",
    "PurchasedHours": "7200",
    "TotalActualHours": "5760",
    "UnusedHours": "1440",
    "OnDemandCostOfRIHoursUsed": "4423.68",
    "AmortizedUpfrontFee": "1440",
    "AmortizedRecurringFee": "2160",
    "TotalAmortizedFee": "3600",
    "RICostForUnusedHours": "720",
}
BOUGHT = {
    "Key": "SUBSCRIPTION_ID",
    "Value": "815",
    "Attributes": {
        "instanceType": "m5.4xlarge",
        "region": "us-east-1",
        "numberOfInstances": "10",
        "scope": "Region",
        "endDateTime": "2027-12-01T00:00:00.000Z",
    },
    "Utilization": UTILIZATION,
}
MORE: dict[str, Any] = {"states": ["active"], "nextToken": "more"}
NO_PLANS: dict[str, Any] = {"savingsPlans": []}
PERIOD = {"Start": "2027-02-06", "End": "2027-03-08"}


OWN = {"Dimensions": {"Key": "LINKED_ACCOUNT", "Values": ["222222222222"]}}


def only(service: Committed) -> dict[str, Any]:
    return {"And": [{"Dimensions": {"Key": "SERVICE", "Values": [service.value]}}, OWN]}


def coverage(recorded: Recorded, service: Committed, **hours: str) -> None:
    total = {"CoverageHours": hours} if hours else {}
    recorded.answer(
        "cost_explorer",
        "get_reservation_coverage",
        {"CoveragesByTime": [{"TimePeriod": PERIOD, "Groups": [], "Total": total}]},
        TimePeriod=PERIOD,
        Granularity="MONTHLY",
        Filter=only(service),
        Metrics=["Hour"],
    )


def no_plans(recorded: Recorded, *, covered: str = "0") -> None:
    """The account has no Savings Plan of its own; coverage is read all the same."""
    recorded.answer("savings_plans", "describe_savings_plans", NO_PLANS, states=["active"])
    share = {"SpendCoveredBySavingsPlans": covered, "TotalCost": "800"}
    recorded.answer("cost_explorer", "get_savings_plans_coverage", {"SavingsPlansCoverages": [{"Coverage": share}]})


def nothing_reserved(recorded: Recorded, service: Committed) -> None:
    utilization(recorded, service)
    coverage(recorded, service)


def utilization(recorded: Recorded, service: Committed, *groups: dict[str, Any]) -> None:
    recorded.answer(
        "cost_explorer",
        "get_reservation_utilization",
        {"UtilizationsByTime": [{"TimePeriod": PERIOD, "Groups": list(groups), "Total": {}}]},
        TimePeriod=PERIOD,
        GroupBy=[{"Type": "DIMENSION", "Key": "SUBSCRIPTION_ID"}],
        Filter=only(service),
    )


def test_a_reservation_its_months_and_its_coverage() -> None:
    recorded = Recorded()
    utilization(recorded, Committed.EC2, BOUGHT)
    february = {"TimePeriod": {"Start": "2027-02-01", "End": "2027-03-01"}, "Groups": [], "Total": UTILIZATION}
    recorded.answer(
        "cost_explorer",
        "get_reservation_utilization",
        {"UtilizationsByTime": [february]},
        TimePeriod={"Start": "2026-02-01", "End": "2027-03-10"},
        Granularity="MONTHLY",
        Filter=only(Committed.EC2),
    )
    coverage(recorded, Committed.EC2, ReservedHours="5760", TotalRunningHours="10800", OnDemandHours="5040")
    nothing_reserved(recorded, Committed.RDS)
    recorded.refuse("cost_explorer", "get_reservation_utilization", "DataUnavailableException")
    recorded.refuse("cost_explorer", "get_reservation_coverage", "DataUnavailableException")
    no_plans(recorded)
    explorer = CostExplorer(recorded.aws)

    found = read_commitments(explorer)

    month = Decimal(730) / 720
    bought = Reservation(
        "815", Committed.EC2, "us-east-1", "m5.4xlarge", Decimal(320), date(2027, 12, 1), 3600 * month, 2160 * month
    )
    assert found.commitments == Commitments((bought,))
    assert found.used == (
        Used(Committed.EC2.value, 53.3, 80.0, Decimal(720)),
        Used(Committed.RDS.value, None, None, Decimal(0)),
        Used(Committed.ELASTICACHE.value, None, None, Decimal(0)),
    )
    assert found.months == (
        CommittedMonth(date(2027, 2, 1), Committed.EC2.value, Decimal(3600), Decimal("4423.68"), Decimal(720)),
    )
    assert explorer.requests == 8  # Savings Plans themselves cost nothing to ask for
    recorded.all_asked()


def test_a_zonal_reservation_covers_its_own_size_only() -> None:
    recorded = Recorded()
    zonal = BOUGHT | {"Attributes": {**BOUGHT["Attributes"], "scope": "Availability Zone"}}  # type: ignore[dict-item]
    for service in Committed:
        groups = [zonal] if service is Committed.EC2 else []
        utilization(recorded, service, *groups)
        if groups:
            recorded.answer("cost_explorer", "get_reservation_utilization", {"UtilizationsByTime": []})
        recorded.answer("cost_explorer", "get_reservation_coverage", {"CoveragesByTime": []})
    no_plans(recorded)
    (reservation,) = read_commitments(CostExplorer(recorded.aws)).commitments.reservations
    assert not reservation.flexible


def test_a_savings_plan_and_what_a_dollar_costs_under_it() -> None:
    recorded = Recorded()
    for service in Committed:
        nothing_reserved(recorded, service)
    plan = {
        "savingsPlanId": "p",
        "savingsPlanType": "Compute",
        "commitment": "2.0",
        "recurringPaymentAmount": "1.0",
        "start": "2026-06-01T00:00:00.000Z",
        "end": "2027-06-01T00:00:00.000Z",
    }
    machine_learning = plan | {"savingsPlanType": "SageMaker"}
    recorded.answer("savings_plans", "describe_savings_plans", {"savingsPlans": [plan], "nextToken": "more"})
    recorded.answer("savings_plans", "describe_savings_plans", {"savingsPlans": [machine_learning]}, **MORE)
    month = {
        "TimePeriod": {"Start": "2027-03-01", "End": "2027-03-10"},
        "Utilization": {
            "TotalCommitment": "432",
            "UsedCommitment": "420",
            "UnusedCommitment": "12",
            "UtilizationPercentage": "97.2",
        },
        "Savings": {"NetSavings": "168", "OnDemandCostEquivalent": "600"},
        "AmortizedCommitment": {"TotalAmortizedCommitment": "432"},
    }
    total = {"Utilization": month["Utilization"]}
    begun = month | {
        "TimePeriod": {"Start": "2027-04-01", "End": "2027-04-02"},
        "Utilization": {"TotalCommitment": "48", "UsedCommitment": "0", "UnusedCommitment": "0"},
        "Savings": {"NetSavings": "0", "OnDemandCostEquivalent": "0"},
        "AmortizedCommitment": {"TotalAmortizedCommitment": "0"},
    }
    share = {"SpendCoveredBySavingsPlans": "600", "OnDemandCost": "200", "TotalCost": "800"}
    recorded.answer("cost_explorer", "get_savings_plans_coverage", {"SavingsPlansCoverages": [{"Coverage": share}]})
    recorded.answer(
        "cost_explorer",
        "get_savings_plans_utilization",
        {"SavingsPlansUtilizationsByTime": [month, begun], "Total": total},
    )

    found = read_commitments(CostExplorer(recorded.aws))

    (bought,) = found.commitments.savings_plans
    assert (bought.monthly, bought.billed_monthly, bought.rate) == (1460, 730, Decimal("0.7"))
    assert (bought.ends, bought.region) == (date(2027, 6, 1), "")
    assert found.used[-1] == Used("Savings Plans", 75.0, 97.2, Decimal(12))
    assert "SageMaker are not reckoned with" in found.notes[0]
    assert POOLED not in found.notes


def test_several_plans_share_one_discount_and_it_is_said() -> None:
    recorded = Recorded()
    for service in Committed:
        nothing_reserved(recorded, service)
    plan = {"savingsPlanId": "p", "savingsPlanType": "Compute", "commitment": "1", "end": "2027-06-01T00:00:00.000Z"}
    month = {
        "TimePeriod": {"Start": "2027-03-01", "End": "2027-03-10"},
        "Utilization": {"TotalCommitment": "432", "UsedCommitment": "420", "UnusedCommitment": "12"},
        "Savings": {"NetSavings": "168", "OnDemandCostEquivalent": "600"},
        "AmortizedCommitment": {"TotalAmortizedCommitment": "432"},
    }
    recorded.answer("savings_plans", "describe_savings_plans", {"savingsPlans": [plan, plan | {"savingsPlanId": "q"}]})
    recorded.answer("cost_explorer", "get_savings_plans_coverage", {"SavingsPlansCoverages": []})
    recorded.answer(
        "cost_explorer",
        "get_savings_plans_utilization",
        {"SavingsPlansUtilizationsByTime": [month], "Total": {"Utilization": month["Utilization"]}},
    )
    assert POOLED in read_commitments(CostExplorer(recorded.aws)).notes


def test_a_missing_permission_is_not_the_same_as_no_commitment() -> None:
    recorded = Recorded()
    recorded.refuse("cost_explorer", "get_reservation_utilization", ACCESS_DENIED, "not authorized")
    with pytest.raises(CostsUnknown, match="GetReservationUtilization is not allowed"):
        read_commitments(CostExplorer(recorded.aws))
    for service in Committed:
        nothing_reserved(recorded, service)
    recorded.refuse("savings_plans", "describe_savings_plans", ACCESS_DENIED)
    with pytest.raises(CostsUnknown, match="savingsplans:DescribeSavingsPlans"):
        read_commitments(CostExplorer(recorded.aws))


def test_a_plan_without_any_reported_use_has_no_discount_to_reckon_with() -> None:
    recorded = Recorded()
    for service in Committed:
        nothing_reserved(recorded, service)
    plan = {"savingsPlanId": "p", "savingsPlanType": "Compute", "commitment": "2.0", "end": "2027-06-01T00:00:00.000Z"}
    recorded.answer("savings_plans", "describe_savings_plans", {"savingsPlans": [plan]})
    recorded.answer("cost_explorer", "get_savings_plans_coverage", {"SavingsPlansCoverages": []})
    nothing = {"SavingsPlansUtilizationsByTime": [], "Total": {"Utilization": {}}}
    recorded.answer("cost_explorer", "get_savings_plans_utilization", nothing)
    with pytest.raises(CostsUnknown, match="No use of the Savings Plans is reported yet"):
        read_commitments(CostExplorer(recorded.aws))


def used(*months: dict[str, Any]) -> dict[str, Any]:
    """An answer of GetSavingsPlansUtilization."""
    return {"SavingsPlansUtilizationsByTime": list(months), "Total": {"Utilization": {}}}


def bought(**attributes: str | None) -> dict[str, Any]:
    """The reservation with other attributes; None takes one away."""
    told = {**BOUGHT["Attributes"], **attributes}  # type: ignore[dict-item]
    return {**BOUGHT, "Attributes": {name: value for name, value in told.items() if value is not None}}


@pytest.mark.parametrize(
    ("service", "attributes", "bound_to", "flexible"),
    [
        (Committed.EC2, {}, "", True),
        (Committed.EC2, {"platform": "Linux/UNIX", "tenancy": "Shared", "sizeFlexibility": "FlexRI"}, "", True),
        (Committed.EC2, {"platform": "Linux/UNIX (Amazon VPC)", "tenancy": "default"}, "", True),
        (Committed.EC2, {"platform": "Windows"}, "Windows", False),
        (Committed.EC2, {"platform": "Red Hat Enterprise Linux"}, "Red Hat Enterprise Linux", False),
        (Committed.EC2, {"tenancy": "Dedicated"}, "Dedicated", False),
        (Committed.EC2, {"sizeFlexibility": "NonFlexRI"}, "", False),
        (Committed.EC2, {"scope": "Availability Zone"}, "", False),
        (Committed.RDS, {"platform": "NA"}, "", True),
        (Committed.RDS, {"databaseEngine": "aurora-postgresql"}, "", True),
        (Committed.RDS, {"databaseEngine": "Aurora MySQL"}, "Aurora MySQL", True),
        (Committed.RDS, {"engine": "postgresql"}, "postgresql", True),
        (Committed.ELASTICACHE, {"cacheEngine": "Redis"}, "", True),
        (Committed.ELASTICACHE, {"cacheEngine": "Memcached"}, "Memcached", True),
    ],
)
def test_a_reservation_covers_only_what_it_is_bought_for(
    service: Committed, attributes: dict[str, str], bound_to: str, flexible: bool
) -> None:
    found = _reservation(service, bought(**attributes))
    assert isinstance(found, Reservation)
    assert (found.bound_to, found.flexible) == (bound_to, flexible)


@pytest.mark.parametrize(
    ("group", "missing"),
    [
        ({**BOUGHT, "Attributes": {"instanceType": "m5.4xlarge"}}, "region, numberOfInstances, endDateTime"),
        ({"Key": "SUBSCRIPTION_ID", "Value": "1"}, "region, instanceType, numberOfInstances, endDateTime"),
        (bought(numberOfInstances="0"), "numberOfInstances"),
        (bought(numberOfInstances=None), "numberOfInstances"),
        (bought(endDateTime="soon"), "endDateTime"),
        (bought(region=""), "region"),
    ],
)
def test_an_attribute_that_is_missing_is_a_note(group: dict[str, Any], missing: str) -> None:
    """AWS promises no key of the free map `Attributes`; a zero is no number of instances to divide by."""
    found = _reservation(Committed.EC2, group)
    assert isinstance(found, str)
    assert f"does not tell its {missing}." in found


def test_attributes_are_known_however_they_are_spelt_and_without_any_use() -> None:
    spelt = {name[0].upper() + name[1:]: value for name, value in BOUGHT["Attributes"].items()}  # type: ignore[union-attr]
    found = _reservation(Committed.EC2, {"Value": "1", "Attributes": spelt})
    assert isinstance(found, Reservation)
    assert (found.units, found.monthly) == (320, 0)


def test_the_plan_goes_on_with_a_reservation_that_is_not_known() -> None:
    recorded = Recorded()
    utilization(recorded, Committed.EC2, bought(region=None), bought(platform="Windows"))
    recorded.answer("cost_explorer", "get_reservation_utilization", {"UtilizationsByTime": [{"TimePeriod": PERIOD}]})
    recorded.answer("cost_explorer", "get_reservation_coverage", {"CoveragesByTime": [{}]})
    for service in (Committed.RDS, Committed.ELASTICACHE):
        recorded.answer("cost_explorer", "get_reservation_utilization", {"UtilizationsByTime": [{"Groups": []}]})
        coverage(recorded, service)
    no_plans(recorded)
    found = read_commitments(CostExplorer(recorded.aws))
    assert [each.bound_to for each in found.commitments.reservations] == ["Windows"]
    assert "does not tell its region" in found.notes[0]
    assert "is bought for Windows: it covers nothing of the platform" in found.notes[1]


def test_what_others_of_the_organization_share_is_said() -> None:
    recorded = Recorded()
    utilization(recorded, Committed.EC2)
    coverage(recorded, Committed.EC2, ReservedHours="300", TotalRunningHours="1000")
    for service in (Committed.RDS, Committed.ELASTICACHE):
        nothing_reserved(recorded, service)
    no_plans(recorded, covered="200")
    found = read_commitments(CostExplorer(recorded.aws))
    assert found.commitments == Commitments()
    assert found.used[0] == Used(Committed.EC2.value, 30.0, None, Decimal(0))
    assert [note.split(" of ")[0] for note in found.notes] == [
        f"{Committed.EC2.value}: 30 %",
        "Savings Plans: 25 %",
    ]


@pytest.mark.parametrize(
    ("plan", "missing"),
    [
        ({"savingsPlanId": "p", "savingsPlanType": "Compute", "commitment": "1"}, "end"),
        ({"savingsPlanId": "p", "savingsPlanType": "Compute", "end": "2027-06-01T00:00:00.000Z"}, "commitment"),
    ],
)
def test_a_plan_that_aws_does_not_describe_is_a_note(plan: dict[str, str], missing: str) -> None:
    recorded = Recorded()
    for service in Committed:
        nothing_reserved(recorded, service)
    recorded.answer("savings_plans", "describe_savings_plans", {"savingsPlans": [plan, {"savingsPlanId": "q"}]})
    recorded.answer("cost_explorer", "get_savings_plans_coverage", {"SavingsPlansCoverages": [{}]})
    month = {
        "TimePeriod": {"Start": "2027-03-01", "End": "2027-03-10"},
        "Utilization": {},
        "Savings": {"OnDemandCostEquivalent": "600"},
        "AmortizedCommitment": {"TotalAmortizedCommitment": "432"},
    }
    recorded.answer("cost_explorer", "get_savings_plans_utilization", used(month))
    found = read_commitments(CostExplorer(recorded.aws))
    assert found.commitments.savings_plans == ()
    assert any(f"does not tell its {missing}" in note for note in found.notes)
    assert any("of the type unknown" in note for note in found.notes)


def test_plans_that_cost_nothing_have_no_rate_to_divide_by() -> None:
    recorded = Recorded()
    for service in Committed:
        nothing_reserved(recorded, service)
    plan = {"savingsPlanId": "p", "savingsPlanType": "Compute", "commitment": "1", "end": "2027-06-01T00:00:00.000Z"}
    recorded.answer("savings_plans", "describe_savings_plans", {"savingsPlans": [plan]})
    recorded.answer("cost_explorer", "get_savings_plans_coverage", {"SavingsPlansCoverages": []})
    month = {
        "TimePeriod": {"Start": "2027-03-01", "End": "2027-03-10"},
        "Utilization": {},
        "Savings": {"OnDemandCostEquivalent": "600"},
    }
    recorded.answer("cost_explorer", "get_savings_plans_utilization", used(month))
    with pytest.raises(CostsUnknown, match="No use of the Savings Plans"):
        read_commitments(CostExplorer(recorded.aws))
