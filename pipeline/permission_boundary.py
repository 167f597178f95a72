"""The most that a role of the optimizer may do in production, whatever its actions declare.

The role that forwards health alarms to the tooling account is under it as well: it allows that one event bus.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from domain.environment import Environment
from domain.names import PREFIX
from domain.sizing import Sizing
from pipeline.alarm_forwarding import bus_arn
from stages.acknowledged import acknowledge
from stages.database import NAME as DATABASE

NAME = "tap-optimizer-boundary"

# The services that the optimizer uses, and those in which it looks for readers of a stream and scalers.
# An action that needs another service adds it here, where reviewers see it.
AT_MOST = (
    "application-autoscaling:DescribeScalableTargets",
    "autoscaling:*",
    "ce:GetCostAndUsage",
    "ce:GetCostForecast",
    "ce:GetReservationCoverage",
    "ce:GetReservationPurchaseRecommendation",
    "ce:GetReservationUtilization",
    "ce:GetSavingsPlansCoverage",
    "ce:GetSavingsPlansPurchaseRecommendation",
    "ce:GetSavingsPlansUtilization",
    "cloudformation:*",
    "cloudwatch:*",
    "dynamodb:*",
    "ec2:*",
    "elasticache:*",
    "elasticloadbalancing:*",
    "iam:PassRole",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "lambda:ListEventSourceMappings",
    "osis:GetPipeline",
    "osis:ListPipelines",
    "pipes:ListPipes",
    "pricing:GetProducts",
    "rds:*",
    "savingsplans:DescribeSavingsPlans",
    "servicequotas:GetAWSDefaultServiceQuota",
    "servicequotas:GetServiceQuota",
    "ssm:GetParameter",
    "ssm:GetParameters",
    "ssm:ListTagsForResource",
    "ssm:PutParameter",
    "tag:GetResources",
)
# Only the objects with this prefix, in each Region's template bucket that bootstrapping made.
STAGING = "arn:{partition}:s3:::cdk-hnb659fds-assets-{account}-{region}"
TEMPLATES = ("s3:GetObject", "s3:PutObject")
ALARMS = ("events:PutEvents",)
# Actions that the optimizer may never take: ways to lose the platform's data, to export it, or to open the network.
NEVER = (
    "cloudformation:DeleteStack",
    "dynamodb:DeleteBackup",
    "dynamodb:ExportTableToPointInTime",
    "ec2:AuthorizeSecurityGroupEgress",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:DeleteSubnet",
    "ec2:DeleteVpc",
    "elasticache:DeleteReplicationGroup",
    "elasticloadbalancing:DeleteLoadBalancer",
    "rds:DeleteDBClusterAutomatedBackup",
    "rds:ModifyDBClusterSnapshotAttribute",
    "rds:StartExportTask",
)
NEVER_GONE = ("dynamodb:DeleteTable", "rds:DeleteDBCluster")


def make_boundary(scope: Construct, id: str, *, environment: Environment) -> iam.ManagedPolicy:
    """The policy `tap-optimizer-boundary`. It grants nothing by itself: it limits the grants of roles.

    Its NEVER_GONE statement protects the designed tables and the primary cluster.
    """
    stack = cdk.Stack.of(scope)
    tables = [f"arn:{stack.partition}:dynamodb:*:{stack.account}:table/{name}" for name in Sizing.AS_DESIGNED.tables]
    primary = f"arn:{stack.partition}:rds:*:{stack.account}:cluster:{DATABASE}"
    staged, spoken = (
        STAGING.format(partition=each, account=stack.account, region="*")
        for each in (cdk.Aws.PARTITION, "<AWS::Partition>")
    )
    deny = iam.Effect.DENY
    policy = iam.ManagedPolicy(
        scope,
        id,
        managed_policy_name=NAME,
        description="The most a role of the cost optimizer may do",
        statements=[
            iam.PolicyStatement(sid="AtMost", actions=list(AT_MOST), resources=["*"]),
            iam.PolicyStatement(sid="OwnTemplates", actions=list(TEMPLATES), resources=[f"{staged}/{PREFIX}/*"]),
            iam.PolicyStatement(sid="OwnAlarms", actions=list(ALARMS), resources=[bus_arn(environment)]),
            iam.PolicyStatement(sid="Never", effect=deny, actions=list(NEVER), resources=["*"]),
            iam.PolicyStatement(sid="NeverGone", effect=deny, actions=list(NEVER_GONE), resources=[*tables, primary]),
        ],
    )
    acknowledge(
        policy,
        f"IAM5[Resource::{spoken}/{PREFIX}/*]",
        "The templates that reconcile puts into each Region's bucket, under its own prefix",
    )
    acknowledge(policy, "IAM5[Resource::*]", "A boundary names actions; the roles' own policies name resources")
    for service in (action for action in AT_MOST if action.endswith("*")):
        acknowledge(
            policy, f"IAM5[Action::{service}]", "A boundary names services; the roles' own policies name actions"
        )
    return policy
