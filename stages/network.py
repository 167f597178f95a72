"""The network of one Region: a public, a private and an isolated subnet in each of its zones."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from domain.environment import MOST_ZONES
from stages.governed import mark_part


class Network(Construct):
    """A VPC with flow logs, and gateway endpoints so that S3 and DynamoDB are reached without NAT.

    Databases and caches live in the isolated subnets: `data_subnet_ids`.
    """

    def __init__(
        self, scope: Construct, id: str, *, cidr: str, nat_gateways: int, log_key: kms.IKey, subnet_mask: int = 20
    ) -> None:
        super().__init__(scope, id)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            vpc_name="tap",
            ip_addresses=ec2.IpAddresses.cidr(cidr),
            max_azs=MOST_ZONES,  # of the environment's zones
            nat_gateways=nat_gateways,
            # Emptying the default group needs a custom resource; nothing here is ever put into it.
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="Public",
                    subnet_type=ec2.SubnetType.PUBLIC,
                    cidr_mask=subnet_mask + 4,
                    map_public_ip_on_launch=False,
                ),
                ec2.SubnetConfiguration(
                    name="Private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=subnet_mask
                ),
                ec2.SubnetConfiguration(
                    name="Data", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=subnet_mask + 2
                ),
            ],
            gateway_endpoints={
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
                "DynamoDb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
            },
        )
        cdk.Validations.of(self.vpc).acknowledge(
            cdk.Acknowledgment(
                id="CloudFormation-Validate::W3010",
                reason="The environment names the zones, so that synthesis asks no account",
            )
        )
        self._log_flows(log_key)
        mark_part(self, "network")

    @property
    def data_subnet_ids(self) -> list[str]:
        """The isolated subnets, one per zone."""
        return self.vpc.select_subnets(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED).subnet_ids

    def _log_flows(self, log_key: kms.IKey) -> None:
        """Every flow, accepted or rejected, for 90 days."""
        group = logs.LogGroup(
            self,
            "FlowLog",
            log_group_name="/tap/network/flows",
            retention=logs.RetentionDays.THREE_MONTHS,
            encryption_key=log_key,
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        role = self._flow_log_role()
        flows = self.vpc.add_flow_log(
            "Flows",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, role),
            traffic_type=ec2.FlowLogTrafficType.ALL,
        )
        flows.node.add_dependency(role)  # and on its policy: the first delivery is tried at once

    def _flow_log_role(self) -> iam.Role:
        """A role for the flow logs of this account alone; the destination adds the right to write."""
        return iam.Role(
            self,
            "FlowLogRole",
            description="VPC flow logs",
            assumed_by=iam.ServicePrincipal(
                "vpc-flow-logs.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(self).account}},
            ),
        )


def closed_group(scope: Construct, id: str, *, vpc: ec2.IVpc, purpose: str) -> ec2.SecurityGroup:
    """A security group that lets nothing in or out: each rule is added explicitly, with peer and port."""
    return ec2.SecurityGroup(
        scope,
        id,
        vpc=vpc,
        description=purpose,
        allow_all_outbound=False,
    )
