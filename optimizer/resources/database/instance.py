"""One Aurora instance: changed, deleted and made again, and its cluster failed over to it.

Every method can be called twice: what is under way or reached already is not asked for again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.errors import PlanChanged
from optimizer.action import Permission
from optimizer.model.resource import Touched
from optimizer.ports.aws import Aws
from optimizer.resources.database import cluster as aurora
from optimizer.resources.database.kinds import touched_in_rds

_REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html"
_INSIGHTS = "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_PerfInsights.access-control.html"
_MONITORING = "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Monitoring.OS.Enabling.html"
_INSTANCES = "arn:{partition}:rds:{region}:{account}:db:tap-database-*"
_BELONGS_TO = (
    "arn:{partition}:rds:{region}:{account}:cluster:tap-database*",
    "arn:{partition}:rds:{region}:{account}:pg:*",
    "arn:{partition}:rds:{region}:{account}:subgrp:*",
)

DELETING_AND_CREATING = (
    Permission("rds:DescribeDBClusters", source=_REFERENCE),
    Permission("rds:DescribeDBInstances", source=_REFERENCE),
    Permission("rds:DeleteDBInstance", (_INSTANCES,), writes=True, source=_REFERENCE),
    Permission("rds:CreateDBInstance", (_INSTANCES, *_BELONGS_TO), writes=True, source=_REFERENCE),
    Permission("rds:AddTagsToResource", (_INSTANCES,), writes=True, dependent=True, source=_REFERENCE),
    # Enhanced monitoring writes as a role that is passed; Performance Insights is encrypted with the database's key.
    Permission(
        "iam:PassRole",
        ("arn:{partition}:iam::{account}:role/tap-*-DatabaseAuroraMonitoring*",),
        writes=True,
        dependent=True,
        conditions={"StringEquals": {"iam:PassedToService": "monitoring.rds.amazonaws.com"}},
        source=_MONITORING,
    ),
    *(
        Permission(
            action,
            ("arn:{partition}:kms:{region}:{account}:key/*",),
            writes=True,
            dependent=True,
            conditions={
                "StringLike": {"kms:ViaService": "rds.*.amazonaws.com"},
                "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/tap/database"},
            },
            source=_INSIGHTS,
        )
        for action in ("kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey")
    ),
)
"""What making an instance again takes, besides deleting it."""


@dataclass(frozen=True)
class InstanceState:
    """The instance of that identifier in that cluster."""

    cluster: str
    id: str

    def is_ready(self, aws: Aws) -> bool:
        """Whether cluster and instance take a change now: available, with nothing pending; or the instance is gone."""
        described = aurora.cluster(aws, self.cluster)
        own = aurora.instance(aws, self.id)
        return described is not None and described["Status"] == "available" and (own is None or aurora.is_settled(own))

    def has(self, aws: Aws, instance_class: str, tier: int) -> bool:
        """Whether it is of this class and tier, with nothing pending."""
        described = aurora.instance(aws, self.id)
        if described is None or not aurora.is_settled(described):
            return False
        return (described["DBInstanceClass"], described.get("PromotionTier")) == (instance_class, tier)

    def change(self, aws: Aws, instance_class: str, tier: int) -> None:
        """Ask for class and tier now. Nothing else may be pending: ApplyImmediately would apply that as well."""
        aws.rds.modify_db_instance(
            DBInstanceIdentifier=self.id,
            DBInstanceClass=instance_class,
            PromotionTier=tier,
            ApplyImmediately=True,
        )

    def writes(self, aws: Aws) -> bool:
        """Whether it is the writer, in an available cluster of available instances."""
        described = aurora.cluster(aws, self.cluster)
        if described is None or described["Status"] != "available":
            return False
        writing = aurora.writer_of(aurora.cluster_members(aws, self.cluster))
        return writing is not None and writing.id == self.id and aurora.is_settled(aurora.instance(aws, self.id))

    def require_reader(self, aws: Aws) -> None:
        """Raises PlanChanged when it writes, as after a failover nobody asked for: the change would be an outage."""
        writing = aurora.writer_of(aurora.cluster_members(aws, self.cluster))
        if writing is not None and writing.id == self.id:
            raise PlanChanged(
                f"{self.id} writes, and is left as it is: the approved plan changes it as a reader. "
                f"Fail {self.cluster} over to another instance, then run this again; or roll the phase back."
            )

    def promote(self, aws: Aws) -> None:
        """Fail over to it."""
        aws.rds.failover_db_cluster(DBClusterIdentifier=self.cluster, TargetDBInstanceIdentifier=self.id)

    def is_gone(self, aws: Aws) -> bool:
        return aurora.instance(aws, self.id) is None

    def delete(self, aws: Aws, instance_class: str) -> None:
        """Delete it. Raises PlanChanged when it is of another class than was approved."""
        described = aurora.instance(aws, self.id)
        if described is None:
            return
        if described["DBInstanceClass"] != instance_class:
            raise PlanChanged(
                f"{self.id} is {described['DBInstanceClass']}, the approved plan saw {instance_class}. "
                "Analyze again, or restore it."
            )
        aws.rds.delete_db_instance(DBInstanceIdentifier=self.id, SkipFinalSnapshot=True)

    def is_back(self, aws: Aws, description: Mapping[str, Any], instance_class: str, tier: int) -> bool:
        """Whether it is there as described, with nothing pending."""
        described = aurora.instance(aws, self.id)
        return (
            described is not None
            and self.has(aws, instance_class, tier)
            and aurora.as_created(described) == aurora.of_its_own(description)
        )

    def create(self, aws: Aws, description: Mapping[str, Any], instance_class: str, tier: int) -> None:
        """Make it again under its old identifier, in its old zone. What AWS makes new: its resource id."""
        if aurora.instance(aws, self.id) is None:
            request = {**aurora.of_its_own(description), "DBInstanceClass": instance_class, "PromotionTier": tier}
            aws.rds.create_db_instance(**request)

    def touched(self, aws: Aws) -> tuple[Touched, ...]:
        """The instance itself."""
        return (touched_in_rds(aws, f"arn:{aws.partition}:rds:{aws.region}:{aws.account}:db:{self.id}"),)
