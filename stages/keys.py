"""The customer keys: one per kind of data, so that each can be granted and revoked alone.

Each is in the stack that uses it: a drift-aware change set cannot know a value that comes from another stack
(docs/adr/0021). All are kept when their stack is deleted: final snapshots and retained backups stay readable only as
long as their key exists.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from stages.regional_stack import RegionalStack


class Keys(Construct):
    """The keys of the primary Region.

    The tables' key is multi-Region from the start: a key cannot be changed to that later, and table
    replicas need it.
    """

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.tables = data_key(self, "Tables", alias="tap/tables", holds="DynamoDB tables", multi_region=True)
        self.cache = data_key(self, "Cache", alias="tap/cache", holds="the Redis replication group")
        self.database = data_key(self, "Database", alias="tap/database", holds="Aurora, its secrets and snapshots")
        self.telemetry = telemetry_key(self, "Telemetry")

    def tables_replica_arn(self, region: str) -> str:
        """ARN of the tables' key replica in `region`: a multi-Region key has the same id everywhere."""
        return f"arn:aws:kms:{region}:{cdk.Stack.of(self).account}:key/{self.tables.key_id}"


class TableReplicaKey(RegionalStack):
    """The tables' key in a replica Region, required there before the tables are replicated to it.

    A separate stack without drift-aware change sets: the key that it copies belongs to the primary stack.
    """

    def __init__(self, scope: Construct, id: str, *, keys: Keys, **kwargs: Any) -> None:
        super().__init__(scope, id, **kwargs)
        key = kms.CfnReplicaKey(
            self,
            "Tables",
            description="Encrypts the replicas of DynamoDB tables",
            primary_key_arn=keys.tables.key_arn,
            key_policy=iam.PolicyDocument(
                statements=[
                    iam.PolicyStatement(principals=[iam.AccountRootPrincipal()], actions=["kms:*"], resources=["*"])
                ]
            ),
        )
        key.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        # A replica does not get an alias automatically, and permissions name a key by its alias.
        kms.CfnAlias(self, "Alias", alias_name="alias/tap/tables", target_key_id=key.attr_key_id)


def data_key(scope: Construct, id: str, *, alias: str, holds: str, multi_region: bool = False) -> kms.Key:
    """A rotated key for data at rest, kept when its stack is deleted."""
    return kms.Key(
        scope,
        id,
        alias=alias,
        description=f"Encrypts {holds}",
        enable_key_rotation=True,
        multi_region=multi_region,
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )


def telemetry_key(scope: Construct, id: str) -> kms.Key:
    """The key of log groups and alarm topics: their services use it by name, only in this account."""
    key = data_key(scope, id, alias="tap/telemetry", holds="log groups and the alarm topic")
    stack = cdk.Stack.of(scope)
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="LogGroupsOfThisAccount",
            principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
            actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
            resources=["*"],  # in a key policy: this key
            conditions={
                "ArnLike": {
                    "kms:EncryptionContext:aws:logs:arn": f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:*"
                }
            },
        )
    )
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="AlarmsOfThisAccount",
            principals=[
                iam.ServicePrincipal("cloudwatch.amazonaws.com"),
                iam.ServicePrincipal("events.amazonaws.com"),
            ],
            actions=["kms:Decrypt", "kms:GenerateDataKey*"],
            resources=["*"],
            conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
        )
    )
    return key
