"""The synthesized templates, and the values that the tests of the brief read from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

Resource = Mapping[str, Any]


@dataclass(frozen=True)
class Foundation:
    """The templates by stack name, and a few ways to look into them."""

    templates: Mapping[str, Mapping[str, Any]]

    def all(self, type: str, stack: str = "tap-primary") -> list[Resource]:
        return [r for r in self.templates[stack]["Resources"].values() if r["Type"] == type]

    def only(self, type: str, stack: str = "tap-primary") -> Resource:
        (found,) = self.all(type, stack)
        return found

    def props(self, type: str, stack: str = "tap-primary") -> Mapping[str, Any]:
        return self.only(type, stack)["Properties"]

    def every(self) -> list[tuple[str, str, Resource]]:
        """All resources of all stacks, as (stack, logical id, resource)."""
        return [(s, id, r) for s, t in self.templates.items() for id, r in t["Resources"].items()]


SECONDARIES = ("tap-replica-2", "tap-replica-3")
NETWORKS = ("tap-primary", *SECONDARIES)


def aurora(f: Foundation, stack: str = "tap-primary") -> Any:
    return f.props("AWS::RDS::DBCluster", stack)


def instances(f: Foundation, stack: str = "tap-primary") -> dict[str, Any]:
    return {r["Properties"]["DBInstanceIdentifier"]: r["Properties"] for r in f.all("AWS::RDS::DBInstance", stack)}


def group(f: Foundation) -> Any:
    return f.props("AWS::AutoScaling::AutoScalingGroup")


def launch(f: Foundation) -> Any:
    return f.props("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]


def tables(f: Foundation) -> dict[str, Any]:
    return {r["Properties"]["TableName"]: r["Properties"] for r in f.all("AWS::DynamoDB::GlobalTable")}


def redis(f: Foundation) -> Any:
    return f.props("AWS::ElastiCache::ReplicationGroup")


def balancer(f: Foundation) -> dict[str, str]:
    attributes = f.props("AWS::ElasticLoadBalancingV2::LoadBalancer")["LoadBalancerAttributes"]
    return {a["Key"]: a["Value"] for a in attributes}


def target_groups(f: Foundation) -> dict[str, dict[str, str]]:
    return {
        r["Properties"]["Name"]: {a["Key"]: a["Value"] for a in r["Properties"]["TargetGroupAttributes"]}
        for r in f.all("AWS::ElasticLoadBalancingV2::TargetGroup")
    }


def listeners(f: Foundation) -> dict[int, Any]:
    return {r["Properties"]["Port"]: r["Properties"] for r in f.all("AWS::ElasticLoadBalancingV2::Listener")}


def paths(f: Foundation) -> set[str]:
    return {
        value
        for rule in f.all("AWS::ElasticLoadBalancingV2::ListenerRule")
        for condition in rule["Properties"]["Conditions"]
        for value in condition["PathPatternConfig"]["Values"]
    }


def subnet_kinds(f: Foundation, stack: str) -> dict[str, set[str]]:
    """The zones that each kind of subnet covers."""
    kinds: dict[str, set[str]] = {}
    for subnet in f.all("AWS::EC2::Subnet", stack):
        tags = {t["Key"]: t["Value"] for t in subnet["Properties"]["Tags"]}
        kinds.setdefault(tags["aws-cdk:subnet-type"], set()).add(subnet["Properties"]["AvailabilityZone"])
    return kinds


def network(f: Foundation, stack: str = "tap-primary") -> IPv4Network:
    return IPv4Network(f.props("AWS::EC2::VPC", stack)["CidrBlock"])


def multi_region(key: Resource) -> bool:
    return bool(key["Properties"].get("MultiRegion"))


def serves_its_own_account(role: Resource) -> bool:
    """EC2 and Lambda assume a role only for instances and functions of its account, which someone passed it to."""
    (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    return statement["Principal"]["Service"] in ("ec2.amazonaws.com", "lambda.amazonaws.com")


def rules(f: Foundation, kind: str) -> list[Any]:
    """Every security group rule of one direction, inline or separate."""
    found = []
    for stack in NETWORKS:
        for resource in f.all("AWS::EC2::SecurityGroup", stack):
            found += resource["Properties"].get(f"SecurityGroup{kind}", [])
        found += [r["Properties"] for r in f.all(f"AWS::EC2::SecurityGroup{kind}", stack)]
    return [rule for rule in found if rule.get("CidrIp") != "255.255.255.255/32"]  # the CDK's "nothing at all"


def log_groups(f: Foundation) -> list[Any]:
    return [r["Properties"] for _, _, r in f.every() if r["Type"] == "AWS::Logs::LogGroup"]


def alarms(f: Foundation) -> set[str]:
    return {r["Properties"]["AlarmName"] for r in f.all("AWS::CloudWatch::Alarm")}


def parameters(f: Foundation) -> set[str]:
    return {r["Properties"]["Name"] for r in f.all("AWS::SSM::Parameter")}


def uses_key(value: Any, part: str) -> bool:
    """Whether `value` is, or holds, the ARN or id of the stack's own key for `part`."""
    return f'": ["Keys{part}' in json.dumps(value) or f'{{"Ref": "Keys{part}' in json.dumps(value)
