"""A refresh of two small instances, in a group of our own in the default VPC."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import ClientError

from benchmarks.parity.asking import TAG, Answers, Sandbox, refused

SMALL, OTHER = "t3.nano", "t3.micro"
IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"  # of Amazon, the newest
LONGEST = 3_600  # seconds of one refresh


@contextmanager
def group(sandbox: Sandbox) -> Iterator[tuple[Any, Any, str]]:
    """Two small instances in a group: the clients of EC2 and Auto Scaling, and the name of group and template."""
    ec2, scaling, name = sandbox.client("ec2"), sandbox.client("autoscaling"), f"tap-parity-{sandbox.suffix}"
    image = sandbox.client("ssm").get_parameter(Name=IMAGE)["Parameter"]["Value"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"ImageId": image, "InstanceType": SMALL})
    try:
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchTemplate={"LaunchTemplateName": name, "Version": "$Latest"},
            MinSize=2,
            MaxSize=4,
            DesiredCapacity=2,
            VPCZoneIdentifier=",".join(each["SubnetId"] for each in subnets[:2]),
            Tags=[{**TAG, "PropagateAtLaunch": True}],
        )
        sandbox.until(lambda: types(scaling, name) == [SMALL, SMALL], LONGEST)
        yield ec2, scaling, name
    finally:
        with suppress(ClientError):
            scaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
        ec2.delete_launch_template(LaunchTemplateName=name)


def types(scaling: Any, name: str) -> list[str]:
    """The type of each instance of the group that serves."""
    (shown,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return [each["InstanceType"] for each in shown["Instances"] if each["LifecycleState"] == "InService"]


def ask_refresh(sandbox: Sandbox) -> Answers:
    with group(sandbox) as (ec2, scaling, name):
        before = types(scaling, name)
        ec2.create_launch_template_version(
            LaunchTemplateName=name, SourceVersion="1", LaunchTemplateData={"InstanceType": OTHER}
        )

        def begin() -> str:
            return refused(
                lambda: scaling.start_instance_refresh(
                    AutoScalingGroupName=name, Preferences={"MinHealthyPercentage": 100, "InstanceWarmup": 0}
                )
            )

        first, second = begin(), begin()

        def status() -> str:
            shown = scaling.describe_instance_refreshes(AutoScalingGroupName=name)["InstanceRefreshes"]
            return str(shown[0]["Status"])

        ended = sandbox.until(lambda: status() in ("Successful", "Failed", "Cancelled"), LONGEST)
        return {
            "two small instances before": before == [SMALL, SMALL],
            "a refresh to the template's latest version": first,
            "another one meanwhile": second,
            "ends": status() if ended is not None else "never",
            "the type of all afterwards": ", ".join(sorted(set(types(scaling, name)))),
            "rolling back what has ended": refused(
                lambda: scaling.rollback_instance_refresh(AutoScalingGroupName=name)
            ),
        }
