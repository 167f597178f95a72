"""The Production stage: the stacks that the pipeline deploys, in the order of their dependencies."""

from __future__ import annotations

from itertools import pairwise

import aws_cdk as cdk
from constructs import Construct

from domain.environment import Environment
from domain.names import RECONCILED_STACKS
from domain.sizing import Sizing
from stages.keys import TableReplicaKey
from stages.replica_stack import ReplicaStack
from stages.tap_stack import TapStack

STACKS = (*RECONCILED_STACKS, "tap-roles")
"""Patterns of the stacks that the pipeline deploys to production, except the replicas of the tables' key."""


class ProductionStage(cdk.Stage):
    """The primary Region, then presence in each replica Region: Region 2 is the first."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment, sizing: Sizing, revision: int) -> None:
        super().__init__(scope, id)
        self._environment = environment
        self._common = {"account": environment.accounts.production, "revision": revision}
        self.primary = TapStack(
            self,
            "Primary",
            stack_name="tap-primary",
            region=environment.primary,
            environment=environment,
            sizing=sizing,
            **self._common,
        )
        numbers = environment.replica_numbers
        self.table_keys = [self._table_key(number) for number in numbers] if environment.table_key_regions else []
        self.replicas = [self._replica(number, sizing) for number in numbers]
        # One after the other: AWS does not document whether two clusters may join a global database at once.
        for earlier, later in pairwise(self.replicas):
            later.add_stack_dependency(earlier)

    def _replica(self, number: int, sizing: Sizing) -> ReplicaStack:
        """After the primary: a secondary cluster joins a global database that exists."""
        stack = ReplicaStack(
            self,
            f"Replica{number}",
            stack_name=f"tap-replica-{number}",
            region=self._environment.replica(number),
            number=number,
            sizing=sizing.aurora,
            notify=self._environment.alarm_email,
            **self._common,
        )
        stack.add_stack_dependency(self.primary)
        return stack

    def _table_key(self, number: int) -> TableReplicaKey:
        """A release before the tables are replicated there: the key it copies is the primary stack's."""
        stack = TableReplicaKey(
            self,
            f"Keys{number}",
            stack_name=f"tap-keys-{number}",
            region=self._environment.replica(number),
            keys=self.primary.keys,
            **self._common,
        )
        stack.add_stack_dependency(self.primary)
        return stack
