"""The DynamoDB tables: `tenants`, `users` and `audit_logs`, four indexes each.

All three share the key names `pk` and `sk`, and the items of `tenants` and `users` share the
partition key TENANT#<id>, so that the two can later share one table, a tenant beside its users.
The optimizer makes that table when it consolidates; a sizing that has it makes synthesis declare
it, and a deployment imports it by its name. docs/access-patterns.md names the query of each index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from domain.indexes import INDEXES, MERGED, SOURCES
from domain.sizing import TableSizing
from stages.governed import mark_part
from stages.keys import Keys

ITEM_ACTIONS = (
    "BatchGetItem",
    "BatchWriteItem",
    "ConditionCheckItem",
    "DeleteItem",
    "DescribeTable",
    "GetItem",
    "PutItem",
    "Query",
    "UpdateItem",
)
TIME_TO_LIVE = {"audit_logs": "expires_at"}


class Tables(Construct):
    """The tables of the sizing, with its indexes and streams.

    `names` are the tables that pointers may name, including the merged table before it exists: the application may
    use it, and alarms cover it, from the switch of the pointer on, without a deployment in between.

    `replicas` are the Regions with a replica of each table, where the key's replica must exist; none by default.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        sizing: Mapping[str, TableSizing],
        keys: Keys,
        replicas: Sequence[str] = (),
    ) -> None:
        super().__init__(scope, id)
        self._key = keys.tables
        self._replica_key_arns = {region: keys.tables_replica_arn(region) for region in replicas}
        self._indexes = {name: table.indexes for name, table in sizing.items()}
        self.by_name = {name: self._table(name, table) for name, table in sizing.items()}
        self.names = tuple(dict.fromkeys((*sizing, MERGED)))
        mark_part(self, "tables")

    def grant_read_write(self, rights: iam.Policy) -> None:
        """Let the owner of `rights` read and write items, in the tables and through their indexes, without Scan."""
        indexes = {**self._indexes, MERGED: tuple(INDEXES[MERGED])}
        arns = [
            arn
            for name in self.names
            for arn in (self._arn(name), *(f"{self._arn(name)}/index/{index}" for index in indexes[name]))
        ]
        rights.add_statements(
            iam.PolicyStatement(
                sid="ReadAndWriteItems",
                actions=[f"dynamodb:{action}" for action in ITEM_ACTIONS],
                resources=arns,
            )
        )
        rights.add_statements(
            iam.PolicyStatement(
                sid="UseTheTablesKey",
                actions=["kms:Decrypt", "kms:DescribeKey"],
                resources=[self._key.key_arn],
                conditions={"StringEquals": {"kms:ViaService": f"dynamodb.{cdk.Stack.of(self).region}.amazonaws.com"}},
            )
        )

    def home_of(self, name: str) -> str:
        """The table that holds the items of `name`: the merged table, once it exists, for its sources."""
        if name in SOURCES and MERGED in self.by_name:
            return MERGED  # by its fixed name: a reference to a table that is being imported is not known yet
        return self.by_name[name].table_name

    def _arn(self, name: str) -> str:
        if name == MERGED:  # the same before and after it exists, so that its import changes no policy
            return cdk.Stack.of(self).format_arn(service="dynamodb", resource="table", resource_name=name)
        return self.by_name[name].table_arn

    def _table(self, name: str, sizing: TableSizing) -> dynamodb.TableV2:
        streams = sizing.stream or self._replica_key_arns  # replication runs on the stream
        return dynamodb.TableV2(
            self,
            name.title().replace("_", ""),
            table_name=name,
            partition_key=_text("pk"),
            sort_key=_text("sk"),
            billing=dynamodb.Billing.on_demand(),
            encryption=dynamodb.TableEncryptionV2.customer_managed_key(self._key, self._replica_key_arns),
            global_secondary_indexes=[_index(name, index) for index in sizing.indexes],
            dynamo_stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES if streams else None,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute=TIME_TO_LIVE.get(name),
            replicas=[dynamodb.ReplicaTableProps(region=region) for region in self._replica_key_arns],
            deletion_protection=True,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )


def _index(table: str, name: str) -> dynamodb.GlobalSecondaryIndexPropsV2:
    index = INDEXES[table][name]
    kind = dynamodb.ProjectionType
    projection = kind.ALL if index.copies is None else kind.INCLUDE if index.copies else kind.KEYS_ONLY
    return dynamodb.GlobalSecondaryIndexPropsV2(
        index_name=name,
        partition_key=_text(index.partition_key),
        sort_key=_text(index.sort_key),
        projection_type=projection,
        non_key_attributes=list(index.copies) if index.copies else None,
    )


def _text(name: str) -> dynamodb.Attribute:
    """A key attribute; all of them are strings, times in ISO 8601."""
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
