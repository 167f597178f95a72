"""Aurora PostgreSQL as a Global Database: the primary cluster, and one secondary in each replica Region."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from domain.names import DATABASE_NAME
from domain.sizing import SECONDARY_BACKUP_DAYS, SECONDARY_CLASS, AuroraInstance, AuroraSizing
from stages.aurora import ENGINE, ENGINE_VERSION, GLOBAL_NAME, PORT, AuroraCluster
from stages.fleet import Fleet
from stages.governed import mark_part
from stages.network import Network
from stages.rotation import Rotation

NAME = DATABASE_NAME
ADMINISTRATOR = "tap_admin"
APPLICATION = "tap_application"  # the database user that the fleet logs in as, by IAM


class Database(Construct):
    """The global cluster and its primary, with the instances that the sizing names."""

    def __init__(
        self, scope: Construct, id: str, *, sizing: AuroraSizing, network: Network, key: kms.IKey, log_key: kms.IKey
    ) -> None:
        super().__init__(scope, id)
        # By its ARN, so that no grant here writes into the key's policy, in the stack before this one.
        key = kms.Key.from_key_arn(self, "Key", key.key_arn)
        self.global_cluster = self._global_cluster()
        self.secret = rds.DatabaseSecret(self, "Secret", username=ADMINISTRATOR, secret_name=NAME, encryption_key=key)
        self.secret.apply_removal_policy(cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        self.aurora = AuroraCluster(
            self,
            "Aurora",
            name=NAME,
            backup_retention_days=sizing.backup_retention_days,
            network=network,
            key=key,
            log_key=log_key,
            global_cluster_identifier=self.global_cluster.ref,
            database_name="tap",
            master_username=ADMINISTRATOR,
            # Aurora cannot manage the password itself in a global database (Aurora user guide,
            # "Limitations for Secrets Manager integration"): the secret and its rotation are ours.
            master_user_password=self.secret.secret_value_from_json("password").unsafe_unwrap(),
        )
        self.cluster = self.aurora.cluster
        self._add_instances(sizing)
        self._attach_secret()
        Rotation(self, "Rotation", secret=self.secret, cluster=self.cluster, key=key, log_key=log_key)
        mark_part(self, "database")

    @property
    def writer_endpoint(self) -> str:
        """The endpoint that follows the writer through a failover, as host:port."""
        return f"{self.cluster.attr_endpoint_address}:{PORT}"

    @property
    def reader_endpoint(self) -> str:
        """The endpoint that spreads over the readers, or is the writer without any; as host:port."""
        return f"{self.cluster.attr_read_endpoint_address}:{PORT}"

    def allow_from(self, fleet: Fleet) -> None:
        """Let the fleet connect, and log in as the application's user, by IAM."""
        group, port = self.aurora.security_group, ec2.Port.tcp(PORT)
        group.add_ingress_rule(fleet.security_group, port, "PostgreSQL, from the fleet")
        fleet.security_group.add_egress_rule(group, port, "To PostgreSQL")
        stack = cdk.Stack.of(self)
        user = f"{self.cluster.attr_db_cluster_resource_id}/{APPLICATION}"
        fleet.rights.add_statements(
            iam.PolicyStatement(
                sid="LogInToAurora",
                actions=["rds-db:connect"],
                resources=[f"arn:{stack.partition}:rds-db:{stack.region}:{stack.account}:dbuser:{user}"],
            )
        )

    def _global_cluster(self) -> rds.CfnGlobalCluster:
        """The global cluster, which the primary joins at its creation; secondaries refer to it by name."""
        group = rds.CfnGlobalCluster(
            self,
            "Global",
            global_cluster_identifier=GLOBAL_NAME,
            engine=ENGINE,
            engine_version=ENGINE_VERSION,
            storage_encrypted=True,
            deletion_protection=True,
        )
        group.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        return group

    def _add_instances(self, sizing: AuroraSizing) -> None:
        """Add the instances; the first is made alone, so that it starts as the writer."""
        first, *others = [self.aurora.add_instance(instance) for instance in sizing.instances]
        for other in others:
            other.add_resource_dependency(first)

    def _attach_secret(self) -> None:
        """Write host and port into the secret, beside user name and password."""
        secretsmanager.CfnSecretTargetAttachment(
            self,
            "SecretAttachment",
            secret_id=self.secret.secret_arn,
            target_id=self.cluster.ref,
            target_type="AWS::RDS::DBCluster",
        )


class SecondaryDatabase(Construct):
    """The secondary cluster of Region `number`, with one instance; nobody connects until it is promoted.

    Its backups are kept for one day, the minimum: the primary has the long ones.
    """

    def __init__(
        self, scope: Construct, id: str, *, number: int, network: Network, key: kms.IKey, log_key: kms.IKey
    ) -> None:
        super().__init__(scope, id)
        name = f"{NAME}-region{number}"
        self.aurora = AuroraCluster(
            self,
            "Aurora",
            name=name,
            backup_retention_days=SECONDARY_BACKUP_DAYS,
            network=network,
            key=key,
            log_key=log_key,
            global_cluster_identifier=GLOBAL_NAME,
        )
        self.aurora.add_instance(AuroraInstance(id=f"{name}-1", instance_class=SECONDARY_CLASS, promotion_tier=1))
        mark_part(self, "database")
