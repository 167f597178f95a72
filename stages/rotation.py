"""Rotation of the database administrator's password, every 30 days.

Secrets Manager's own rotation functions come as a transform or from another repository, and log in
to the database with a driver. Aurora can be told a new password by its API, so a few inline lines
do, without an asset, a driver or a way into the network. The application is not touched by it: it
logs in by IAM.
"""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

CODE = Path(__file__).with_name("rotation_function.py")
NAME = "tap-database-rotation"


def rotate_password(
    scope: Construct,
    id: str,
    *,
    secret: secretsmanager.Secret,
    cluster: rds.CfnDBCluster,
    key: kms.IKey,
    log_key: kms.IKey,
) -> None:
    """Give `cluster` a new administrator's password every 30 days, and keep it in `secret`."""
    part = Construct(scope, id)
    log = logs.LogGroup(
        part,
        "Log",
        log_group_name=f"/aws/lambda/{NAME}",
        retention=logs.RetentionDays.THREE_MONTHS,
        encryption_key=log_key,
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    function = lambda_.Function(
        part,
        "Function",
        function_name=NAME,
        description="Rotates the Aurora administrator's password",
        runtime=lambda_.Runtime.PYTHON_3_14,
        handler="index.handler",
        code=lambda_.Code.from_inline(CODE.read_text()),
        timeout=cdk.Duration.minutes(5),
        environment={"CLUSTER": cluster.ref},
        role=_role(part, cluster, key, log),
    )
    secret.add_rotation_schedule(
        "Schedule",
        rotation_lambda=function,
        automatically_after=cdk.Duration.days(30),
        rotate_immediately_on_update=False,
    )


def _role(scope: Construct, cluster: rds.CfnDBCluster, key: kms.IKey, log: logs.LogGroup) -> iam.Role:
    """Changes the cluster, uses the secret's key and writes its log; the schedule adds the secret itself."""
    role = iam.Role(
        scope,
        "Role",
        description="Rotates the Aurora administrator's password",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
    )
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["rds:ModifyDBCluster", "rds:DescribeDBClusters"], resources=[cluster.attr_db_cluster_arn]
        )
    )
    role.add_to_policy(
        iam.PolicyStatement(actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log.log_group_arn])
    )
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=[key.key_arn],
            conditions={
                "StringEquals": {"kms:ViaService": f"secretsmanager.{cdk.Stack.of(scope).region}.amazonaws.com"}
            },
        )
    )
    return role
