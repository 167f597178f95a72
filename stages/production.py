"""The Production stage: what the pipeline deploys, in the order in which it depends on itself."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import Construct

from pipeline.environment import Environment
from stages.keys import Keys
from stages.replica_stack import ReplicaStack
from stages.sizing import Sizing
from stages.tap_stack import TapStack


class ProductionStage(cdk.Stage):
    """Keys, then the primary Region, then presence in Regions 2 and 3."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment, sizing: Sizing, revision: int) -> None:
        super().__init__(scope, id)
        account = environment.accounts.production
        common = {"account": account, "revision": revision}
        self.keys = Keys(self, "Keys", stack_name="tap-keys", region=environment.primary, **common)
        self.primary = TapStack(
            self,
            "Primary",
            stack_name="tap-primary",
            region=environment.primary,
            environment=environment,
            sizing=sizing,
            keys=self.keys,
            **common,
        )
        self.replicas = [
            ReplicaStack(
                self,
                f"Replica{number}",
                stack_name=f"tap-replica-{number}",
                region=region,
                number=number,
                sizing=sizing.aurora,
                **common,
            )
            for number, region in enumerate(environment.replicas, start=2)
        ]
        self.primary.add_stack_dependency(self.keys)
        for replica in self.replicas:
            replica.add_stack_dependency(self.primary)  # a secondary cluster joins a global database that exists
