"""Permissions to observe an account, beside those that the actions declare: inventory, metrics, prices and the bill."""

from __future__ import annotations

from domain.names import DECLARATION as TIERS
from optimizer.action import Permission
from optimizer.resources.registry import resource_kinds

_REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_"


def reading(source: str, *actions: str, resources: tuple[str, ...] = ("*",)) -> tuple[Permission, ...]:
    return tuple(Permission(action, resources=resources, source=f"{_REFERENCE}{source}.html") for action in actions)


def _of_kinds() -> tuple[Permission, ...]:
    """The reading permissions that the kinds declare, each once."""
    declared = [
        permission
        for kind in resource_kinds().values()
        for page, actions in kind.reads.items()
        for permission in reading(page, *actions, resources=kind.readable)
    ]
    return tuple({each.action: each for each in declared}.values())


OBSERVE: tuple[Permission, ...] = (
    *_of_kinds(),
    *reading("amazoncloudwatch", "cloudwatch:GetMetricData", "cloudwatch:DescribeAlarms"),
    *reading("amazonec2", "ec2:DescribeNatGateways"),
    *reading("amazonresourcegrouptaggingapi", "tag:GetResources"),  # finds what is governed
    *reading(
        "awssystemsmanager",
        "ssm:GetParameter",
        resources=(f"arn:{{partition}}:ssm:{{region}}:{{account}}:parameter{TIERS}",),
    ),
    *reading("awscloudformation", "cloudformation:DescribeStacks"),  # whether anything is being deployed
    *reading("awspricelist", "pricing:GetProducts"),  # every job that publishes shows prices; asking is free
)

# What the account costs. Nobody decides by it, and only analyze asks: each Cost Explorer request is billed. The actions
# of the two services take no resource (Service Authorization Reference), hence "*".
MONEY: tuple[Permission, ...] = (
    *reading(
        "awscostexplorerservice",
        "ce:GetCostAndUsage",
        "ce:GetCostForecast",
        "ce:GetReservationCoverage",
        "ce:GetReservationPurchaseRecommendation",
        "ce:GetReservationUtilization",
        "ce:GetSavingsPlansCoverage",
        "ce:GetSavingsPlansPurchaseRecommendation",
        "ce:GetSavingsPlansUtilization",
    ),
    *reading("awssavingsplans", "savingsplans:DescribeSavingsPlans"),
)
