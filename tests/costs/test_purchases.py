"""AWS's own recommendations, read for each service by its name."""

from decimal import Decimal

from optimizer.costs.commitments import Committed
from optimizer.costs.cost_explorer import CostExplorer
from optimizer.costs.purchase_offers import Offer, PlanOffer, read_offers
from tests.costs.answers import Recorded

TERMS = {"LookbackPeriodInDays": "SIXTY_DAYS", "TermInYears": "ONE_YEAR", "PaymentOption": "NO_UPFRONT"}


def test_offers_of_three_services_and_a_savings_plan() -> None:
    recorded, operation = Recorded(), "get_reservation_purchase_recommendation"
    detail = {
        "InstanceDetails": {
            "EC2InstanceDetails": {"Family": "m5", "InstanceType": "m5.4xlarge", "Region": "us-east-1"}
        },
        "RecommendedNumberOfInstancesToPurchase": "12",
        "EstimatedMonthlySavingsAmount": "2018.30",
        "EstimatedMonthlyOnDemandCost": "6727.68",
    }
    nodes = detail | {
        "InstanceDetails": {"ElastiCacheInstanceDetails": {"NodeType": "cache.r6g.4xlarge", "Region": "us-east-1"}}
    }
    recorded.answer(
        "cost_explorer",
        operation,
        {"Recommendations": [{"RecommendationDetails": [detail]}]},
        Service=Committed.EC2.value,
        AccountId="222222222222",
        AccountScope="LINKED",
        **TERMS,
    )
    recorded.refuse("cost_explorer", operation, "DataUnavailableException")
    recorded.answer("cost_explorer", operation, {"Recommendations": [{"RecommendationDetails": [nodes]}]})
    summary = {"HourlyCommitmentToPurchase": "3.1", "EstimatedMonthlySavingsAmount": "900"}
    recorded.answer(
        "cost_explorer",
        "get_savings_plans_purchase_recommendation",
        {"SavingsPlansPurchaseRecommendation": {"SavingsPlansPurchaseRecommendationSummary": summary}},
        SavingsPlansType="COMPUTE_SP",
        AccountScope="LINKED",
        Filter={"Dimensions": {"Key": "LINKED_ACCOUNT", "Values": ["222222222222"]}},
        **TERMS,
    )

    offers = read_offers(CostExplorer(recorded.aws))

    ec2, cache = offers.reservations
    assert ec2 == Offer(Committed.EC2, "us-east-1", "m5.4xlarge", Decimal(12), Decimal("2018.30"), Decimal("6727.68"))
    assert round(ec2.discount, 2) == Decimal("0.30")
    assert (cache.service, cache.instance_type) == (Committed.ELASTICACHE, "cache.r6g.4xlarge")
    assert offers.savings_plan == PlanOffer(Decimal("3.1"), Decimal(900))
    recorded.all_asked()


def test_nothing_is_recommended() -> None:
    recorded = Recorded()
    for _ in Committed:
        recorded.answer("cost_explorer", "get_reservation_purchase_recommendation", {"Recommendations": []})
    recorded.answer("cost_explorer", "get_savings_plans_purchase_recommendation", {})
    offers = read_offers(CostExplorer(recorded.aws))
    assert (offers.reservations, offers.savings_plan) == ((), None)


def test_a_recommendation_without_its_particulars_is_a_note() -> None:
    recorded = Recorded()
    node = {"InstanceDetails": {"ElastiCacheInstanceDetails": {"NodeType": "cache.r6g.large", "Region": "us-east-1"}}}
    details = [[{}], [{"InstanceDetails": {"RDSInstanceDetails": {"Region": "us-east-1"}}}], [node]]
    for each in details:
        answer = {"Recommendations": [{}, {"RecommendationDetails": each}]}
        recorded.answer("cost_explorer", "get_reservation_purchase_recommendation", answer)
    summary = {"SavingsPlansPurchaseRecommendationSummary": {"HourlyCommitmentToPurchase": "0.5"}}
    recorded.answer(
        "cost_explorer",
        "get_savings_plans_purchase_recommendation",
        {"SavingsPlansPurchaseRecommendation": summary},
    )
    offers = read_offers(CostExplorer(recorded.aws))
    assert [(each.count, each.discount) for each in offers.reservations] == [(0, 0)]
    assert len(offers.notes) == 2
    assert offers.savings_plan == PlanOffer(Decimal("0.5"), Decimal(0))
