"""Aurora PostgreSQL as a Global Database: the primary cluster here, one secondary in Regions 2 and 3."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stages.governed import mark_part
from stages.network import Network, closed_group
from stages.sizing import AuroraInstance, AuroraSizing

NAME = "tap-database"
GLOBAL_NAME = "tap-global"
PORT = 5432
ENGINE = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_17_9)
ENGINE_NAME = "aurora-postgresql"
ENGINE_VERSION = "17.9"
SECONDARY_CLASS = "db.r6g.4xlarge"
PARAMETERS = {
    "rds.force_ssl": "1",
    "log_min_duration_statement": "1000",  # milliseconds
    "log_connections": "1",
    "log_disconnections": "1",
}


class Database(Construct):
    """The primary cluster: the instances of the sizing, each by its own name.

    CloudFormation knows instances by identity, not by role: the one it calls the writer may be a
    reader after a failover, and the sizing may drop any of them.
    """

    def __init__(
        self, scope: Construct, id: str, *, sizing: AuroraSizing, network: Network, key: kms.IKey, log_key: kms.IKey
    ) -> None:
        super().__init__(scope, id)
        self.security_group = closed_group(
            self, "SecurityGroup", vpc=network.vpc, name=NAME, purpose="Aurora: the fleet only"
        )
        self._key = key
        log_group(self, NAME, log_key)
        self.cluster = self._cluster(sizing, network)
        self.global_cluster = self._global_cluster()
        mark_part(self, "database")

    def allow_from(self, group: ec2.ISecurityGroup, role: iam.IRole) -> None:
        """Let members of `group` connect, and `role` read the credentials."""
        self.security_group.add_ingress_rule(group, ec2.Port.tcp(PORT), "PostgreSQL from the fleet")
        role.add_to_principal_policy(
            iam.PolicyStatement(
                sid="ReadDatabaseCredentials",
                actions=["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
                resources=[self.secret.secret_arn],
            )
        )
        # Not by grant_read: that would write the role into the key's policy, in the stack before this one.
        role.add_to_principal_policy(
            iam.PolicyStatement(
                sid="DecryptDatabaseCredentials",
                actions=["kms:Decrypt"],
                resources=[self._key.key_arn],
                conditions={
                    "StringEquals": {"kms:ViaService": f"secretsmanager.{cdk.Stack.of(self).region}.amazonaws.com"}
                },
            )
        )

    @property
    def secret(self) -> secretsmanager.ISecret:
        """User name and password of the cluster's administrator."""
        assert self.cluster.secret is not None  # made with generated credentials
        return self.cluster.secret

    def _cluster(self, sizing: AuroraSizing, network: Network) -> rds.DatabaseCluster:
        writer, *readers = [self._instance(instance) for instance in sizing.instances]
        return rds.DatabaseCluster(
            self,
            "Cluster",
            cluster_identifier=NAME,
            engine=ENGINE,
            # Aurora cannot manage the password itself in a global database (Aurora user guide,
            # "Limitations for Secrets Manager integration"), so the secret is ours.
            credentials=rds.Credentials.from_generated_secret(
                "tap_admin", secret_name="tap/database", encryption_key=self._key
            ),
            default_database_name="tap",
            writer=writer,
            readers=readers,
            vpc=network.vpc,
            vpc_subnets=Network.data,
            security_groups=[self.security_group],
            port=PORT,
            storage_encrypted=True,
            storage_encryption_key=self._key,
            backup=rds.BackupProps(
                retention=cdk.Duration.days(sizing.backup_retention_days), preferred_window="02:00-03:00"
            ),
            preferred_maintenance_window="sun:04:00-sun:05:00",
            copy_tags_to_snapshot=True,
            parameter_group=rds.ParameterGroup(self, "Parameters", engine=ENGINE, parameters=PARAMETERS),
            cloudwatch_logs_exports=["postgresql"],
            iam_authentication=True,
            monitoring_interval=cdk.Duration.seconds(30),
            deletion_protection=True,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )

    def _instance(self, instance: AuroraInstance) -> rds.IClusterInstance:
        return rds.ClusterInstance.provisioned(
            instance.id,
            instance_identifier=instance.id,
            instance_type=ec2.InstanceType(instance.instance_class.removeprefix("db.")),
            promotion_tier=instance.promotion_tier,
            enable_performance_insights=True,
            performance_insight_encryption_key=self._key,
            performance_insight_retention=rds.PerformanceInsightRetention.DEFAULT,
            auto_minor_version_upgrade=False,  # a global database is upgraded as one, by hand
            publicly_accessible=False,
        )

    def _global_cluster(self) -> rds.CfnGlobalCluster:
        """The global cluster, which the primary joins as it is made; secondaries know it by name."""
        group = rds.CfnGlobalCluster(
            self,
            "Global",
            global_cluster_identifier=GLOBAL_NAME,
            engine=ENGINE_NAME,
            engine_version=ENGINE_VERSION,
            storage_encrypted=True,
            deletion_protection=True,
        )
        group.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        primary = self.cluster.node.default_child
        assert isinstance(primary, rds.CfnDBCluster)  # what the L2 is made of
        primary.global_cluster_identifier = group.ref
        return group


class SecondaryDatabase(Construct):
    """The secondary cluster of one Region, with one instance that can be promoted with it.

    L1: a secondary takes credentials and database name from the global cluster, which the L2 would
    insist on making.
    """

    def __init__(
        self, scope: Construct, id: str, *, number: int, network: Network, key: kms.IKey, log_key: kms.IKey
    ) -> None:
        super().__init__(scope, id)
        self._name = f"{NAME}-region{number}"
        self._key = key
        self.security_group = closed_group(
            self, "SecurityGroup", vpc=network.vpc, name=self._name, purpose="Aurora secondary: nobody until promoted"
        )
        log_group(self, self._name, log_key)
        self.cluster = self._cluster(network)
        self.instance = self._instance()
        mark_part(self, "database")

    def _cluster(self, network: Network) -> rds.CfnDBCluster:
        subnets = rds.CfnDBSubnetGroup(
            self,
            "Subnets",
            db_subnet_group_name=self._name,
            db_subnet_group_description="Isolated data subnets",
            subnet_ids=network.vpc.select_subnets(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED).subnet_ids,
        )
        parameters = rds.CfnDBClusterParameterGroup(
            self, "Parameters", family=f"{ENGINE_NAME}17", description=f"{self._name}", parameters=PARAMETERS
        )
        cluster = rds.CfnDBCluster(
            self,
            "Cluster",
            db_cluster_identifier=self._name,
            global_cluster_identifier=GLOBAL_NAME,
            engine=ENGINE_NAME,
            engine_version=ENGINE_VERSION,
            db_subnet_group_name=subnets.ref,
            db_cluster_parameter_group_name=parameters.ref,
            vpc_security_group_ids=[self.security_group.security_group_id],
            port=PORT,
            storage_encrypted=True,
            kms_key_id=self._key.key_arn,
            backup_retention_period=1,  # the least there is; the primary keeps the backups
            copy_tags_to_snapshot=True,
            enable_cloudwatch_logs_exports=["postgresql"],
            enable_iam_database_authentication=True,
            deletion_protection=True,
        )
        cluster.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        return cluster

    def _instance(self) -> rds.CfnDBInstance:
        monitoring = iam.Role(
            self,
            "Monitoring",
            assumed_by=iam.ServicePrincipal("monitoring.rds.amazonaws.com"),
            managed_policies=[
                iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AmazonRDSEnhancedMonitoringRole")
            ],
        )
        instance = rds.CfnDBInstance(
            self,
            "Instance",
            db_instance_identifier=f"{self._name}-1",
            db_cluster_identifier=self.cluster.ref,
            db_instance_class=SECONDARY_CLASS,
            engine=ENGINE_NAME,
            promotion_tier=1,
            enable_performance_insights=True,
            performance_insights_kms_key_id=self._key.key_arn,
            performance_insights_retention_period=7,
            monitoring_interval=30,
            monitoring_role_arn=monitoring.role_arn,
            auto_minor_version_upgrade=False,
            publicly_accessible=False,
        )
        instance.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        return instance


def log_group(scope: Construct, cluster: str, log_key: kms.IKey) -> logs.LogGroup:
    """Aurora's log group, made before Aurora would make it without retention and key."""
    return logs.LogGroup(
        scope,
        "Log",
        log_group_name=f"/aws/rds/cluster/{cluster}/postgresql",
        retention=logs.RetentionDays.THREE_MONTHS,
        encryption_key=log_key,
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
