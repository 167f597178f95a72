"""The irreversible end of one secondary cluster: closed, out of the global database, unprotected, deleted.

Aurora User Guide, "Removing a cluster from an Amazon Aurora global database": detached, it is a cluster
of its own that can write. Every method finds itself done when the cluster is gone already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.errors import MoveFailed
from optimizer.model.resource import Touched
from optimizer.ports.aws import Aws
from optimizer.resources.database import cluster as aurora
from optimizer.resources.database.kinds import member_parts

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import SecurityGroupTypeDef
    from types_boto3_rds.type_defs import DBClusterTypeDef


@dataclass(frozen=True)
class SecondaryCluster:
    """The member of that ARN, in its own Region."""

    database: str
    arn: str

    @property
    def name(self) -> str:
        return self.arn.rsplit(":", 1)[1]

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]

    def touched(self, aws: Aws) -> Iterator[Touched]:
        """The cluster and all that goes with it; once it is detached, it is no part of the global database any more."""
        if self._described(aws) is not None:
            yield from member_parts(aws.at(self.region), self.name, doors=True)

    def is_ready(self, aws: Aws) -> bool:
        """Whether the cluster takes a change now: it is available, or gone."""
        described = self._described(aws)
        return described is None or (described["Status"] == "available" and not described.get("PendingModifiedValues"))

    def is_closed(self, aws: Aws) -> bool:
        """Whether its security groups let nobody in."""
        return not any(each["IpPermissions"] for each in self._groups(aws))

    def close(self, aws: Aws) -> None:
        for group in self._groups(aws):
            if group["IpPermissions"]:
                aws.at(self.region).ec2.revoke_security_group_ingress(
                    GroupId=group["GroupId"],
                    IpPermissions=group["IpPermissions"],  # as it was described
                )

    def is_detached(self, aws: Aws) -> bool:
        members = aurora.global_cluster(aws, self.database).get("GlobalClusterMembers", [])
        return all(each["DBClusterArn"] != self.arn for each in members) and self.is_ready(aws)

    def detach(self, aws: Aws) -> None:
        """Take it out, from its own Region. Raises MoveFailed when it is not headless any more."""
        if remaining := aurora.instances(aws.at(self.region), self.name):
            raise MoveFailed(
                f"{self.name} has the instance {', '.join(remaining)}, made since the phase was applied: it stays. "
                "Delete the instance, then run this again."
            )
        aws.at(self.region).rds.remove_from_global_cluster(
            GlobalClusterIdentifier=self.database, DbClusterIdentifier=self.arn
        )

    def is_unprotected(self, aws: Aws) -> bool:
        described = self._described(aws)
        return described is None or not described.get("DeletionProtection", False)

    def unprotect(self, aws: Aws) -> None:
        aws.at(self.region).rds.modify_db_cluster(
            DBClusterIdentifier=self.name, DeletionProtection=False, ApplyImmediately=True
        )

    def is_deleted(self, aws: Aws, snapshot: str) -> bool:
        """Whether it is gone and its final snapshot is whole. Raises MoveFailed when it went without one."""
        there = aws.at(self.region)
        gone = self._described(aws) is None
        try:
            (taken,) = there.rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=snapshot)[
                "DBClusterSnapshots"
            ]
        except there.rds.exceptions.DBClusterSnapshotNotFoundFault:
            if gone:
                raise MoveFailed(
                    f"{self.name} is gone, and its final snapshot {snapshot} is not there. Look for its retained "
                    "automated backups (describe-db-cluster-automated-backups)."
                ) from None
            return False
        return gone and taken["Status"] == "available"

    def delete(self, aws: Aws, snapshot: str) -> None:
        if self._described(aws) is not None:
            aws.at(self.region).rds.delete_db_cluster(
                DBClusterIdentifier=self.name,
                SkipFinalSnapshot=False,
                FinalDBSnapshotIdentifier=snapshot,
                DeleteAutomatedBackups=False,
            )

    def _described(self, aws: Aws) -> DBClusterTypeDef | None:
        return aurora.cluster(aws.at(self.region), self.name)

    def _groups(self, aws: Aws) -> list[SecurityGroupTypeDef]:
        described = self._described(aws)
        ids = [each["VpcSecurityGroupId"] for each in described.get("VpcSecurityGroups", [])] if described else []
        return aws.at(self.region).ec2.describe_security_groups(GroupIds=ids)["SecurityGroups"] if ids else []
