"""The load balancer: ends TLS and sends each path to its service on the fleet."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stages.acknowledged import acknowledge
from stages.fleet import Fleet
from stages.governed import mark_part
from stages.network import Network, closed_group
from stages.services import DEFAULT, HEALTH, ROUTED, Service

NAME = "tap"


class Balancer(Construct):
    """An internet-facing Application Load Balancer, TLS only, in front of `fleet`."""

    def __init__(self, scope: Construct, id: str, *, network: Network, fleet: Fleet, certificate_arn: str) -> None:
        super().__init__(scope, id)
        self._network = network
        self._fleet = fleet
        self.security_group = closed_group(
            self, "SecurityGroup", vpc=network.vpc, purpose="The load balancer: HTTPS for all"
        )
        acknowledge(self.security_group, "EC23", "The platform's front door: tenants come from anywhere")
        self.access_logs = self._access_log_bucket()
        self.load_balancer = self._load_balancer()
        self.target_groups = {service.name: self._target_group(service) for service in (DEFAULT, *ROUTED)}
        self._redirect_to_tls()
        self._route(certificate_arn)
        mark_part(self, "fleet")

    def _load_balancer(self) -> elb.ApplicationLoadBalancer:
        balancer = elb.ApplicationLoadBalancer(
            self,
            "LoadBalancer",
            load_balancer_name=NAME,
            vpc=self._network.vpc,
            internet_facing=True,
            security_group=self.security_group,
            deletion_protection=True,
            drop_invalid_header_fields=True,
            desync_mitigation_mode=elb.DesyncMitigationMode.STRICTEST,
        )
        balancer.log_access_logs(self.access_logs, prefix="balancer")
        return balancer

    def _access_log_bucket(self) -> s3.Bucket:
        return s3.Bucket(
            self,
            "AccessLogs",
            encryption=s3.BucketEncryption.S3_MANAGED,  # the only kind ALB can write to
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(expiration=cdk.Duration.days(90), noncurrent_version_expiration=cdk.Duration.days(7))
            ],
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )

    def _target_group(self, service: Service) -> elb.ApplicationTargetGroup:
        group = elb.ApplicationTargetGroup(
            self,
            f"{service.name.title()}Targets",
            target_group_name=f"tap-{service.name}",
            vpc=self._network.vpc,
            port=service.port,
            protocol=elb.ApplicationProtocol.HTTP,
            target_type=elb.TargetType.INSTANCE,
            deregistration_delay=cdk.Duration.seconds(300),
            health_check=elb.HealthCheck(
                path=HEALTH,
                healthy_http_codes="200",
                interval=cdk.Duration.seconds(15),
                timeout=cdk.Duration.seconds(5),
                healthy_threshold_count=2,
                unhealthy_threshold_count=3,
            ),
        )
        self._fleet.group.attach_to_application_target_group(group)
        port, fleet = ec2.Port.tcp(service.port), self._fleet.security_group
        self.security_group.add_egress_rule(fleet, port, f"To the {service.name} service")
        fleet.add_ingress_rule(self.security_group, port, f"The {service.name} service, from the load balancer")
        return group

    def _redirect_to_tls(self) -> None:
        self.load_balancer.add_listener(
            "Http",
            port=80,
            open=True,
            default_action=elb.ListenerAction.redirect(protocol="HTTPS", port="443", permanent=True),
        )

    def _route(self, certificate_arn: str) -> None:
        listener = self.load_balancer.add_listener(
            "Https",
            port=443,
            open=True,
            certificates=[elb.ListenerCertificate.from_arn(certificate_arn)],
            ssl_policy=elb.SslPolicy.RECOMMENDED_TLS,
            default_target_groups=[self.target_groups[DEFAULT.name]],
        )
        for priority, service in enumerate(ROUTED, start=1):
            listener.add_target_groups(
                service.name.title(),
                priority=10 * priority,
                conditions=[elb.ListenerCondition.path_patterns(list(service.paths))],
                target_groups=[self.target_groups[service.name]],
            )
