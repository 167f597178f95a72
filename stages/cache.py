"""The Redis replication group, in cluster mode."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from domain.names import CACHE_NAME
from domain.sizing import CacheSizing
from stages.acknowledged import acknowledge
from stages.fleet import Fleet
from stages.governed import mark_part
from stages.network import Network, closed_group

NAME = CACHE_NAME
ENGINE_VERSION = "7.1"
PORT = 6380  # not the port that scanners try first


class Cache(Construct):
    """Redis 7 over three zones, encrypted with `key`, with IAM login for the roles that get a grant.

    L1, because the L2 supports serverless caches only. Shards and replicas change online, by
    UseOnlineResharding: without it CloudFormation replaces the group when their number changes.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        sizing: CacheSizing,
        network: Network,
        key: kms.IKey,
        log_key: kms.IKey,
    ) -> None:
        super().__init__(scope, id)
        self.shards = sizing.shards
        self.nodes_per_shard = 1 + sizing.replicas_per_shard
        self.security_group = closed_group(self, "SecurityGroup", vpc=network.vpc, purpose="Redis: the fleet only")
        self.users = Users(self, "Users")
        self.group = self._replication_group(sizing, network, key, log_key)
        mark_part(self, "cache")

    @property
    def endpoint(self) -> str:
        """The configuration endpoint, as host:port."""
        address = self.group.attr_configuration_end_point_address
        return f"{address}:{PORT}"

    def allow_from(self, fleet: Fleet) -> None:
        """Let the fleet connect, and log in as the application's user, by IAM."""
        self.security_group.add_ingress_rule(fleet.security_group, ec2.Port.tcp(PORT), "Redis, from the fleet")
        fleet.security_group.add_egress_rule(self.security_group, ec2.Port.tcp(PORT), "To Redis")
        fleet.rights.add_statements(
            iam.PolicyStatement(
                sid="LogInToRedis",
                actions=["elasticache:Connect"],
                resources=[self._arn("replicationgroup", NAME), self._arn("user", Users.APPLICATION)],
            )
        )

    def _arn(self, resource: str, name: str) -> str:
        return cdk.Stack.of(self).format_arn(
            service="elasticache", resource=resource, resource_name=name, arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
        )

    def _replication_group(
        self, sizing: CacheSizing, network: Network, key: kms.IKey, log_key: kms.IKey
    ) -> elasticache.CfnReplicationGroup:
        subnets = elasticache.CfnSubnetGroup(
            self,
            "Subnets",
            cache_subnet_group_name=NAME,
            description="Isolated data subnets",
            subnet_ids=network.data_subnet_ids,
        )
        group = elasticache.CfnReplicationGroup(
            self,
            "Group",
            replication_group_id=NAME,
            replication_group_description="Sessions and hot tenant data",
            engine="redis",
            engine_version=ENGINE_VERSION,
            cache_node_type=sizing.node_type,
            num_node_groups=len(sizing.shards),
            replicas_per_node_group=sizing.replicas_per_shard,
            cache_parameter_group_name="default.redis7.cluster.on",
            cache_subnet_group_name=subnets.ref,
            security_group_ids=[self.security_group.security_group_id],
            port=PORT,
            automatic_failover_enabled=True,
            multi_az_enabled=True,
            at_rest_encryption_enabled=True,
            kms_key_id=key.key_arn,
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            user_group_ids=[self.users.group.ref],
            snapshot_retention_limit=7,
            snapshot_window="03:00-04:00",
            preferred_maintenance_window="sun:05:00-sun:06:00",
            auto_minor_version_upgrade=True,
            log_delivery_configurations=[self._log(kind, log_key) for kind in ("slow-log", "engine-log")],
        )
        group.cfn_options.update_policy = cdk.CfnUpdatePolicy(use_online_resharding=True)
        group.apply_removal_policy(cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        acknowledge(group, "AEC6", "Users log in by IAM, through the user group, which excludes AUTH")
        return group

    def _log(
        self, kind: str, log_key: kms.IKey
    ) -> elasticache.CfnReplicationGroup.LogDeliveryConfigurationRequestProperty:
        group = logs.LogGroup(
            self,
            kind.title().replace("-", ""),
            log_group_name=f"/tap/cache/{kind}",
            retention=logs.RetentionDays.THREE_MONTHS,
            encryption_key=log_key,
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        destination = elasticache.CfnReplicationGroup.DestinationDetailsProperty(
            cloud_watch_logs_details=elasticache.CfnReplicationGroup.CloudWatchLogsDestinationDetailsProperty(
                log_group=group.log_group_name
            )
        )
        return elasticache.CfnReplicationGroup.LogDeliveryConfigurationRequestProperty(
            destination_details=destination, destination_type="cloudwatch-logs", log_format="json", log_type=kind
        )


class Users(Construct):
    """Users of the cache: the application logs in by IAM, without a password; the default user never."""

    APPLICATION = "tap-application"

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        application = elasticache.CfnUser(
            self,
            "Application",
            user_id=self.APPLICATION,
            user_name=self.APPLICATION,  # IAM authentication requires equal id and name
            engine="redis",
            access_string="on ~* +@all -@admin -@dangerous",
            authentication_mode={"Type": "iam"},
        )
        # A user group must contain a user called `default`: this one is disabled and has no rights.
        default = elasticache.CfnUser(
            self,
            "Default",
            user_id="tap-default-off",
            user_name="default",
            engine="redis",
            access_string="off -@all",
            authentication_mode={"Type": "no-password-required"},
        )
        self.group = elasticache.CfnUserGroup(
            self,
            "Group",
            user_group_id="tap-cache",
            engine="redis",
            user_ids=[application.ref, default.ref],
        )
