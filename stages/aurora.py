"""One Aurora cluster of the Global Database, with everything that primary and secondaries share.

L1 throughout: the L2 sets the promotion tier of the instance that it calls the writer, and would give a
secondary its own credentials, although those come from the global cluster.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from constructs import Construct

from domain.names import GLOBAL_DATABASE_NAME
from domain.sizing import AuroraInstance
from stages.acknowledged import acknowledge
from stages.network import Network, closed_group

GLOBAL_NAME = GLOBAL_DATABASE_NAME
PORT = 5432
ENGINE = "aurora-postgresql"
ENGINE_VERSION = "17.9"
FAMILY = "aurora-postgresql17"
PARAMETERS = {
    "rds.force_ssl": "1",
    "log_min_duration_statement": "1000",  # milliseconds
    "log_connections": "1",
    "log_disconnections": "1",
}


class AuroraCluster(Construct):
    """A cluster in the isolated subnets, encrypted, TLS only, its log kept, and safe from deletion.

    `properties` are the cluster properties in which primary and secondaries differ.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        backup_retention_days: int,
        network: Network,
        key: kms.IKey,
        log_key: kms.IKey,
        **properties: Any,
    ) -> None:
        super().__init__(scope, id)
        self._key = key
        self.security_group = closed_group(self, "SecurityGroup", vpc=network.vpc, purpose=f"Aurora {name}")
        log = logs.LogGroup(  # created before Aurora does so, without retention and key
            self,
            "Log",
            log_group_name=f"/aws/rds/cluster/{name}/postgresql",
            retention=logs.RetentionDays.THREE_MONTHS,
            encryption_key=log_key,
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        self.cluster = rds.CfnDBCluster(
            self,
            "Cluster",
            db_cluster_identifier=name,
            engine=ENGINE,
            engine_version=ENGINE_VERSION,
            port=PORT,
            db_subnet_group_name=self._subnets(name, network).ref,
            db_cluster_parameter_group_name=self._parameters(name).ref,
            vpc_security_group_ids=[self.security_group.security_group_id],
            storage_encrypted=True,
            kms_key_id=key.key_arn,
            enable_iam_database_authentication=True,
            enable_cloudwatch_logs_exports=["postgresql"],
            backup_retention_period=backup_retention_days,
            preferred_backup_window="02:00-03:00",
            preferred_maintenance_window="sun:04:00-sun:05:00",
            copy_tags_to_snapshot=True,
            deletion_protection=True,
            **properties,
        )
        self.cluster.node.add_dependency(log)
        self.cluster.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        self._monitoring = monitoring_role(self, "Monitoring")

    def add_instance(self, instance: AuroraInstance) -> rds.CfnDBInstance:
        """Add an instance by its own name: Aurora assigns its role, which moves with a failover."""
        made = rds.CfnDBInstance(
            self,
            instance.id,
            db_instance_identifier=instance.id,
            db_cluster_identifier=self.cluster.ref,
            db_instance_class=instance.instance_class,
            engine=ENGINE,
            promotion_tier=instance.promotion_tier,
            enable_performance_insights=True,
            performance_insights_kms_key_id=self._key.key_arn,
            performance_insights_retention_period=7,
            monitoring_interval=30,
            monitoring_role_arn=self._monitoring.role_arn,
            auto_minor_version_upgrade=False,  # a global database is upgraded as a whole, by hand
            publicly_accessible=False,
        )
        # RDS refuses an instance whose monitoring role has no rights yet: "IAM role ARN value is invalid or does not
        # include the required permissions for: ENHANCED_MONITORING".
        made.node.add_dependency(self._monitoring)
        made.apply_removal_policy(cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        return made

    def _subnets(self, name: str, network: Network) -> rds.CfnDBSubnetGroup:
        return rds.CfnDBSubnetGroup(
            self,
            "Subnets",
            db_subnet_group_name=name,
            db_subnet_group_description="Isolated data subnets",
            subnet_ids=network.data_subnet_ids,
        )

    def _parameters(self, name: str) -> rds.CfnDBClusterParameterGroup:
        return rds.CfnDBClusterParameterGroup(
            self,
            "Parameters",
            family=FAMILY,
            description=f"TLS forced, slow statements logged: {name}",
            parameters=PARAMETERS,
        )


def monitoring_role(scope: Construct, id: str) -> iam.Role:
    """The role with which enhanced monitoring writes its log group."""
    stack = cdk.Stack.of(scope)
    group = f"arn:aws:logs:{stack.region}:{stack.account}:log-group:RDSOSMetrics"
    role = iam.Role(
        scope,
        id,
        description="Aurora enhanced monitoring",
        assumed_by=iam.ServicePrincipal(
            "monitoring.rds.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": stack.account}}
        ),
    )
    role.add_to_policy(
        iam.PolicyStatement(actions=["logs:CreateLogGroup", "logs:PutRetentionPolicy"], resources=[group, f"{group}:*"])
    )
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams", "logs:GetLogEvents"],
            resources=[f"{group}:log-stream:*"],
        )
    )
    for streams in ("*", "log-stream:*"):
        acknowledge(role, f"IAM5[Resource::{group}:{streams}]", "RDS names the group's streams, one per instance")
    return role
