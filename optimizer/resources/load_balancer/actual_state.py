"""Load balancers as they really are, in the shape of their templates."""

from __future__ import annotations

from optimizer.resources.actual_state import Actual, Comparable, Observed, same


def _balancer(observed: Observed, name: str) -> Actual | None:
    if (
        balancer := observed.by("LoadBalancerName", "elbv2", "describe_load_balancers", "LoadBalancers").get(name)
    ) is None:
        return None
    elbv2, arn = observed.aws.elbv2, balancer["LoadBalancerArn"]
    return {
        **same(balancer, "Scheme", "SecurityGroups", "Type", "IpAddressType", Name="LoadBalancerName"),
        "Subnets": [each["SubnetId"] for each in balancer["AvailabilityZones"]],
        "LoadBalancerAttributes": elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"],
        "Tags": elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"],
    }


LOAD_BALANCER = Comparable("Name", _balancer)
