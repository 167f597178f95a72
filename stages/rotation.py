"""Rotation of the database administrator's password, every 30 days.

Secrets Manager's own rotation functions come as a transform or from another repository, and log in
to the database with a driver. Aurora accepts a new password by its API, so a few inline lines
are enough, without an asset, a driver or network access. The application is not affected: it
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


class Rotation(Construct):
    """Sets a new administrator's password on `cluster` every 30 days, and stores it in `secret`."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        secret: secretsmanager.ISecret,
        cluster: rds.CfnDBCluster,
        key: kms.IKey,
        log_key: kms.IKey,
    ) -> None:
        super().__init__(scope, id)
        log = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/lambda/{NAME}",
            retention=logs.RetentionDays.THREE_MONTHS,
            encryption_key=log_key,
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        role = iam.Role(
            self,
            "Role",
            description="Rotates the Aurora administrator's password",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        )
        for statement in _statements(cdk.Stack.of(self).region, secret, cluster, key, log):
            role.add_to_policy(statement)
        function = lambda_.Function(
            self,
            "Function",
            function_name=NAME,
            description="Rotates the Aurora administrator's password",
            runtime=lambda_.Runtime.PYTHON_3_14,
            handler="index.handler",
            code=lambda_.Code.from_inline(CODE.read_text()),
            timeout=cdk.Duration.minutes(5),
            environment={"CLUSTER": cluster.ref},
            log_group=log,
            role=role,
        )
        self._schedule(secret, function)

    def _schedule(self, secret: secretsmanager.ISecret, function: lambda_.Function) -> None:
        """L1: the L2 would let Secrets Manager call the function for any account."""
        permission = "SecretsManager"
        function.add_permission(
            permission,
            principal=iam.ServicePrincipal("secretsmanager.amazonaws.com"),
            source_account=cdk.Stack.of(self).account,
        )
        monthly = secretsmanager.CfnRotationSchedule.RotationRulesProperty(schedule_expression="rate(30 days)")
        schedule = secretsmanager.CfnRotationSchedule(
            self,
            "Schedule",
            secret_id=secret.secret_arn,
            rotation_lambda_arn=function.function_arn,
            rotation_rules=monthly,
            rotate_immediately_on_update=False,
        )
        schedule.node.add_dependency(function.node.find_child(permission))  # the first rotation needs it


def _statements(
    region: str, secret: secretsmanager.ISecret, cluster: rds.CfnDBCluster, key: kms.IKey, log: logs.LogGroup
) -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(
            sid="KeepThePassword",
            actions=[
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:PutSecretValue",
                "secretsmanager:UpdateSecretVersionStage",
            ],
            resources=[secret.secret_arn],
        ),
        iam.PolicyStatement(
            sid="UseTheSecretsKey",
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=[key.key_arn],
            conditions={"StringEquals": {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"}},
        ),
        iam.PolicyStatement(
            sid="ChangeThePassword",
            actions=["rds:DescribeDBClusters", "rds:ModifyDBCluster"],
            resources=[cluster.attr_db_cluster_arn],
        ),
        iam.PolicyStatement(
            sid="WriteTheLog", actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log.log_group_arn]
        ),
    ]
