"""Permissions to observe an account, beside those that the actions declare: inventory, metrics, prices and the bill."""

from __future__ import annotations

from domain.names import DECLARATION as TIERS
from optimizer.action import Permission

_REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_"


def reading(source: str, *actions: str, resources: tuple[str, ...] = ("*",)) -> tuple[Permission, ...]:
    return tuple(Permission(action, resources=resources, source=f"{_REFERENCE}{source}.html") for action in actions)


# Describe and list actions take no resource, or lose their list when one is named: hence "*".
OBSERVE: tuple[Permission, ...] = (
    *reading("amazoncloudwatch", "cloudwatch:GetMetricData", "cloudwatch:DescribeAlarms"),
    *reading(
        "amazonec2autoscaling",
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeInstanceRefreshes",
        "autoscaling:DescribePolicies",
        "autoscaling:DescribeScalingActivities",
        "autoscaling:DescribeScheduledActions",
        "autoscaling:DescribeTags",
    ),
    *reading(
        "amazonec2",
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:DescribeNatGateways",
        "ec2:DescribeTags",
    ),
    *reading("amazonresourcegrouptaggingapi", "tag:GetResources"),  # finds what is governed
    *reading(
        "awselasticloadbalancingv2",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroups",
    ),
    *reading(
        "amazonrds",
        "rds:DescribeDBClusterSnapshots",
        "rds:DescribeDBClusters",
        "rds:DescribeDBInstances",
        "rds:DescribeGlobalClusters",
        "rds:ListTagsForResource",
    ),
    *reading(
        "amazonelasticache",
        "elasticache:DescribeCacheClusters",
        "elasticache:DescribeReplicationGroups",
        "elasticache:ListTagsForResource",
    ),
    *reading(
        "awssystemsmanager",
        "ssm:GetParameter",
        resources=(f"arn:{{partition}}:ssm:{{region}}:{{account}}:parameter{TIERS}",),
    ),
    *reading("awscloudformation", "cloudformation:DescribeStacks"),  # whether anything is being deployed
    *reading("awspricelist", "pricing:GetProducts"),  # every job that publishes shows prices; asking is free
    *reading(
        "amazondynamodb",
        "dynamodb:DescribeTable",
        "dynamodb:ListTagsOfResource",
        resources=("arn:{partition}:dynamodb:{region}:{account}:table/*",),
    ),
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
