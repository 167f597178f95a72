"""The fleet: the Auto Scaling group that runs the platform's services behind the load balancer."""

from __future__ import annotations

import json
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from domain.names import FLEET_NAME
from domain.sizing import FLEET_VOLUME_GB, FleetSizing
from stages.acknowledged import acknowledge
from stages.governed import mark_part
from stages.network import Network, closed_group
from stages.services import PORTS

NAME = FLEET_NAME
CPU_TARGET = 50  # percent, the average of the fleet that target tracking keeps
# The CloudWatch agent publishes memory, which EC2 does not, each minute under the group's name alone: one metric.
# CloudWatch User Guide, "Manually create or edit the CloudWatch agent configuration file".
AGENT_NAMESPACE = "CWAgent"
TENANTS_NAMESPACE = "Tap/Tenants"  # docs/application.md, Metrics by tier
AGENT = {
    "agent": {"metrics_collection_interval": 60},
    "metrics": {
        "namespace": AGENT_NAMESPACE,
        "append_dimensions": {"AutoScalingGroupName": "${aws:AutoScalingGroupName}"},
        "metrics_collected": {"mem": {"measurement": ["mem_used_percent"]}},
    },
}
OWN_IMAGE = "/etc/tap-image"  # a custom image contains this file, and then no placeholder starts
PLACEHOLDER = Path(__file__).with_name("placeholder.py")
LOG_GROUP = "/tap/fleet"
USER_DATA = f"""#!/bin/sh
echo TAP_POINTERS=/tap > /etc/tap-environment
if [ ! -e {OWN_IMAGE} ]; then
cat > /usr/local/bin/tap-placeholder <<'END'
{PLACEHOLDER.read_text()}END
cat > /etc/systemd/system/tap-placeholder.service <<'END'
[Service]
DynamicUser=yes
ExecStart=/usr/bin/python3 /usr/local/bin/tap-placeholder 0.0.0.0 {" ".join(map(str, PORTS))}
Restart=always
[Install]
WantedBy=multi-user.target
END
systemctl enable --now tap-placeholder
fi
dnf install --assumeyes amazon-cloudwatch-agent
cat > /opt/aws/amazon-cloudwatch-agent/etc/tap.json <<'END'
{json.dumps(AGENT)}
END
/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s \
  -c file:/opt/aws/amazon-cloudwatch-agent/etc/tap.json
"""


class Fleet(Construct):
    """Instances over three zones, made from a launch template, sized by CPU.

    The group has no rolling or replacing update policy: a deployment never replaces instances,
    only the optimizer's instance refresh does. Capacity follows docs/adr/0003.
    """

    def __init__(
        self, scope: Construct, id: str, *, sizing: FleetSizing, network: Network, image_id: str, log_key: kms.IKey
    ) -> None:
        super().__init__(scope, id)
        logs.LogGroup(
            self,
            "Log",
            log_group_name=LOG_GROUP,
            retention=logs.RetentionDays.THREE_MONTHS,
            encryption_key=log_key,
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        self.security_group = closed_group(
            self, "SecurityGroup", vpc=network.vpc, purpose="The fleet: the load balancer only"
        )
        # Through the NAT gateway: AWS endpoints (Systems Manager, KMS, logs) and the tenants' own webhooks.
        self.security_group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "HTTPS to AWS and webhooks")
        self.role = self._role()
        # Separate from the role's own policy, for which the launch template waits: this policy waits for the data
        # resources,
        # and those wait for the group (ADR 22).
        self.rights = iam.Policy(self, "Rights", roles=[self.role])
        self.launch_template = self._launch_template(sizing, image_id)
        self.group = self._group(sizing, network)
        self._scale_by_cpu(sizing)
        mark_part(self, "fleet")

    def _role(self) -> iam.Role:
        """The instances' role: Session Manager, metrics and logs here; the parts add their own grants."""
        stack = cdk.Stack.of(self)
        role = iam.Role(
            self,
            "Role",
            role_name=f"{NAME}-{stack.region}",
            description="Instances of the fleet",
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
        )
        role.add_to_policy(
            iam.PolicyStatement(
                sid="SessionManager",
                actions=[
                    "ssm:UpdateInstanceInformation",
                    "ssmmessages:CreateControlChannel",
                    "ssmmessages:CreateDataChannel",
                    "ssmmessages:OpenControlChannel",
                    "ssmmessages:OpenDataChannel",
                ],
                resources=["*"],
            )
        )
        role.add_to_policy(
            iam.PolicyStatement(
                sid="PublishMetrics",
                actions=["cloudwatch:PutMetricData"],
                resources=["*"],
                conditions={"StringEquals": {"cloudwatch:namespace": [AGENT_NAMESPACE, TENANTS_NAMESPACE]}},
            )
        )
        log = f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:{LOG_GROUP}:*"
        writing = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        role.add_to_policy(iam.PolicyStatement(sid="WriteLogs", actions=writing, resources=[log]))
        acknowledge(role, f"IAM5[Resource::{log}]", "The streams of the fleet's own log group: one for each instance")
        # The agent reads the group's name from the instance's tags.
        role.add_to_policy(iam.PolicyStatement(sid="OwnTags", actions=["ec2:DescribeTags"], resources=["*"]))
        acknowledge(
            role,
            "IAM5[Resource::*]",
            "These actions of Session Manager, CloudWatch and EC2 know no resources (Service Authorization Reference)",
        )
        return role

    def _launch_template(self, sizing: FleetSizing, image_id: str) -> ec2.LaunchTemplate:
        region = cdk.Stack.of(self).region
        template = ec2.LaunchTemplate(
            self,
            "LaunchTemplate",
            launch_template_name=NAME,
            instance_type=ec2.InstanceType(sizing.instance_type),
            # A fixed image: with an SSM alias in its place an instance refresh cannot be rolled back.
            machine_image=ec2.MachineImage.generic_linux({region: image_id}),
            role=self.role,
            security_group=self.security_group,
            user_data=ec2.UserData.custom(USER_DATA),
            http_tokens=ec2.LaunchTemplateHttpTokens.REQUIRED,
            http_put_response_hop_limit=1,
            instance_metadata_tags=True,
            detailed_monitoring=True,
            ebs_optimized=True,
            block_devices=[
                ec2.BlockDevice(
                    device_name="/dev/xvda",
                    volume=ec2.BlockDeviceVolume.ebs(
                        FLEET_VOLUME_GB,
                        encrypted=True,
                        volume_type=ec2.EbsDeviceVolumeType.GP3,
                        delete_on_termination=True,
                    ),
                )
            ],
        )
        template.apply_removal_policy(cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        return template

    def _group(self, sizing: FleetSizing, network: Network) -> autoscaling.AutoScalingGroup:
        group = autoscaling.AutoScalingGroup(
            self,
            "Group",
            auto_scaling_group_name=NAME,
            vpc=network.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            launch_template=self.launch_template,
            min_capacity=sizing.minimum,
            desired_capacity=sizing.desired,
            max_capacity=sizing.maximum,
            ignore_unmodified_size_properties=True,
            health_checks=autoscaling.HealthChecks.with_additional_checks(
                additional_types=[autoscaling.AdditionalHealthCheckType.ELB], grace_period=cdk.Duration.minutes(5)
            ),
            default_instance_warmup=cdk.Duration.minutes(5),
            group_metrics=[autoscaling.GroupMetrics.all()],
        )
        group.apply_removal_policy(cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        cdk.Annotations.of(group).acknowledge_warning(
            "@aws-cdk/aws-autoscaling:desiredCapacitySet", "Unmodified sizes are ignored: docs/adr/0003"
        )
        acknowledge(group, "AS3", "Scaling shows on the dashboard; a mail for each step would bury the alarms")
        return group

    def _scale_by_cpu(self, sizing: FleetSizing) -> None:
        """Target tracking. Scaling in is part of the sizing: if disabled, target tracking only adds instances."""
        self.group.scale_on_cpu_utilization(
            "Cpu", target_utilization_percent=CPU_TARGET, disable_scale_in=not sizing.scale_in
        )
