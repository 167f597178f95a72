"""The journal: the table that holds the plan's state, not any pipeline execution."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

READ = ("dynamodb:GetItem", "dynamodb:Query")
# A transaction is authorized by its single writes (DynamoDB Developer Guide, "IAM with transactions").
# No DeleteItem: history only grows, and a lease expires.
WRITE = ("dynamodb:PutItem", "dynamodb:UpdateItem")


class JournalTable(Construct):
    """The DynamoDB table `tap-journal`: keys pk and sk, restorable, encrypted, kept when the stack is deleted."""

    def __init__(self, scope: Construct, id: str, *, key: kms.IKey) -> None:
        super().__init__(scope, id)
        self._key = key
        self.table = dynamodb.TableV2(
            self,
            "Table",
            table_name="tap-journal",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            encryption=dynamodb.TableEncryptionV2.customer_managed_key(key),
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=True,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )

    def grant_read(self, grantee: iam.IGrantable) -> None:
        """Grant reading of items, and nothing about the table itself."""
        self.table.grant(grantee, *READ)
        self._key.grant_decrypt(grantee)

    def grant_write(self, grantee: iam.IGrantable) -> None:
        """Grant reading and writing of items; none can be deleted."""
        self.table.grant(grantee, *READ, *WRITE)
        self._key.grant_encrypt_decrypt(grantee)
