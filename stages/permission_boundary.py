"""The most that a role of the platform may do, whatever is attached to it."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from stages.acknowledged import acknowledge

NAME = "tap-boundary"
ALLOWED = (
    "cloudwatch:PutMetricData",
    "dynamodb:BatchGetItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:DescribeTable",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
    "ec2:DescribeTags",
    "elasticache:Connect",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:GenerateDataKey",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogStreams",
    "logs:GetLogEvents",
    "logs:PutLogEvents",
    "logs:PutRetentionPolicy",
    "rds-db:connect",
    "rds:DescribeDBClusters",
    "rds:ModifyDBCluster",
    "s3:GetBucketLocation",
    "s3:ListAllMyBuckets",
    "s3:PutObject",
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecretVersionStage",
    "ssm:GetParameter",
    "ssm:GetParameters",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)


def make_boundary(scope: Construct, id: str) -> iam.ManagedPolicy:
    """The policy `tap-boundary`. It grants nothing by itself: it limits the grants of roles."""
    policy = iam.ManagedPolicy(
        scope,
        id,
        managed_policy_name=NAME,
        description="The most a role of the platform may do",
        statements=[iam.PolicyStatement(sid="AtMost", actions=list(ALLOWED), resources=["*"])],
    )
    acknowledge(policy, "IAM5[Resource::*]", "A boundary names actions; the roles' own policies name resources")
    return policy


def bound(stack: cdk.Stack) -> None:
    """Put every role of `stack` under the boundary, by its name. The primary stack makes it, and is deployed first."""
    boundary = iam.ManagedPolicy.from_managed_policy_name(stack, "BoundaryByName", NAME)
    iam.PermissionsBoundary.of(stack).apply(boundary)
    made = stack.node.try_find_child("Boundary")
    for role in stack.node.find_all() if made else ():
        if isinstance(role, iam.CfnRole):
            role.node.add_dependency(made)
