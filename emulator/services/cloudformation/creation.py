"""How CloudFormation creates a stack for the first time, and what a creation that failed leaves.

It works on the graph of a template's resources and their policies alone: no service is called, so that the
types that are not emulated take part as well. Nothing is assumed of an order that the template does not give: of
the resources that may be created next, policies come last.

- A service that checks a role at creation finds only the policies that the resource depends on. CodeBuild opens a
  source connection (https://github.com/aws/aws-cdk/issues/38504); RDS refuses a monitoring role without rights
  ("IAM role ARN value is invalid or does not include the required permissions for: ENHANCED_MONITORING",
  https://github.com/hashicorp/terraform-provider-aws/issues/315).
- A name of one's own is taken as long as its resource exists, whichever stack made it.
- A failed creation is rolled back: `Retain` keeps what it made, `RetainExceptOnCreate` does not
  (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html). What
  deletion protection or a use keeps cannot be deleted, and the rollback fails.
- A stack that was never complete takes no update: it is deleted, and created again
  (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html#cfn-stack-status-codes).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudformation.template import Template, references

KEPT = "Retain"
POLICIES = ("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy")
CHECKED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "AWS::CodeBuild::Project": ("ServiceRole", ("GetConnection", "UseConnection")),
    "AWS::RDS::DBInstance": ("MonitoringRoleArn", ("logs:PutLogEvents",)),
}
"""By type: the property that names the role whose rights are checked at creation, and some of what it must allow."""
NAMES: Mapping[str, str] = {
    "AWS::AutoScaling::AutoScalingGroup": "AutoScalingGroupName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::CodeBuild::Project": "Name",
    "AWS::CodePipeline::Pipeline": "Name",
    "AWS::DynamoDB::GlobalTable": "TableName",
    "AWS::EC2::LaunchTemplate": "LaunchTemplateName",
    "AWS::ElastiCache::ReplicationGroup": "ReplicationGroupId",
    "AWS::ElastiCache::SubnetGroup": "CacheSubnetGroupName",
    "AWS::ElastiCache::User": "UserId",
    "AWS::ElastiCache::UserGroup": "UserGroupId",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "Name",
    "AWS::Events::EventBus": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::KMS::Alias": "AliasName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::RDS::DBCluster": "DBClusterIdentifier",
    "AWS::RDS::DBInstance": "DBInstanceIdentifier",
    "AWS::RDS::DBSubnetGroup": "DBSubnetGroupName",
    "AWS::RDS::GlobalCluster": "GlobalClusterIdentifier",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SSM::Parameter": "Name",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::Synthetics::Canary": "Name",
}
"""By type: the property that gives a resource a name of its own, which is taken once an account and Region."""
_HELD = (  # cannot be deleted while what uses them exists
    "AWS::EC2::InternetGateway",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::Subnet",
    "AWS::EC2::VPC",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::ElastiCache::SubnetGroup",
    "AWS::ElastiCache::UserGroup",
    "AWS::RDS::DBClusterParameterGroup",
    "AWS::RDS::DBSubnetGroup",
)


@dataclass(frozen=True)
class Left:
    """One resource that a failed creation left, and what kept it: "Retain", "protection", or the user's logical id."""

    logical_id: str
    type: str
    name: str | None
    kept_by: str


@dataclass(frozen=True)
class Creation:
    """How a stack's creation ended. `failed` and `reason` are those of the first resource that could not be made."""

    status: str
    failed: str | None = None
    reason: str | None = None
    left: tuple[Left, ...] = ()


class StackRefused(Exception):
    """CloudFormation does not take the call; the message is its own."""


@dataclass
class CreatingAccount:
    """One account and Region: the names that are taken, and the stacks."""

    names: set[tuple[str, str]] = field(default_factory=set)
    stacks: dict[str, Creation] = field(default_factory=dict)

    def create(self, stack: str, template: Template, fails_at: str | None = None) -> Creation:
        """Create a stack; `fails_at` is the resource at which the service refuses.

        Raises StackRefused when there is a stack of this name: one that failed has to be deleted first.
        """
        if stack in self.stacks:
            raise StackRefused(f"Stack {stack} is in {self.stacks[stack].status} state and can not be updated.")
        made: list[str] = []
        for logical_id in creation_order(template):
            reason = "refused" if logical_id == fails_at else self._refusal(template, logical_id)
            if reason:
                self.stacks[stack] = self._rolled_back(template, made, logical_id, reason)
                return self.stacks[stack]
            made.append(logical_id)
            if (name := own_name(template, logical_id)) is not None:
                self.names.add(name)
        self.stacks[stack] = Creation("CREATE_COMPLETE")
        return self.stacks[stack]

    def remove(self, left: Left) -> None:
        """A person lifts the protection of a resource and deletes it."""
        if left.name is not None:
            self.names.discard((left.type, left.name))

    def delete(self, stack: str) -> None:
        """Delete a stack whose creation failed. Raises StackRefused while what is left holds something of it."""
        for each in self.stacks[stack].left:
            kept = each.kept_by == KEPT or each.name is None
            if not kept and (each.type, each.name) in self.names:
                raise StackRefused(f"{stack} is in DELETE_FAILED: {each.logical_id} is protected")
        del self.stacks[stack]

    def _refusal(self, template: Template, logical_id: str) -> str | None:
        """Why the service does not make this resource."""
        name = own_name(template, logical_id)
        if name is not None and name in self.names:
            return f"{name[1]} already exists"
        if lacking := rights_lacking(template, logical_id):
            return f"its role does not allow {', '.join(lacking)} yet"
        return None

    def _rolled_back(self, template: Template, made: list[str], failed: str, reason: str) -> Creation:
        left: dict[str, Left] = {}
        for logical_id in reversed(made):
            if kept_by := _kept_by(template, logical_id, left):
                name = own_name(template, logical_id)
                body = template["Resources"][logical_id]
                left[logical_id] = Left(logical_id, body["Type"], name[1] if name else None, kept_by)
            elif (name := own_name(template, logical_id)) is not None:
                self.names.discard(name)
        whole = all(each.kept_by == KEPT for each in left.values())
        return Creation("ROLLBACK_COMPLETE" if whole else "ROLLBACK_FAILED", failed, reason, tuple(left.values()))


def creation_order(template: Template) -> Iterator[str]:
    """Logical ids, each after what it needs; of those that may come next, policies last."""
    resources = template["Resources"]
    waiting = {logical_id: _needs(template, logical_id) for logical_id in resources}
    while waiting:
        ready = [logical_id for logical_id, needed in waiting.items() if not needed & waiting.keys()]
        assert ready, f"these depend on each other: {', '.join(waiting)}"
        chosen = next((id for id in ready if resources[id]["Type"] not in POLICIES), ready[0])
        del waiting[chosen]
        yield chosen


def dependencies(template: Template, logical_id: str) -> frozenset[str]:
    """All that is created before a resource, by reference or DependsOn, directly or not."""
    found: set[str] = set()
    waiting = [logical_id]
    while waiting:
        new = _needs(template, waiting.pop()) - found
        found |= new
        waiting += new
    return frozenset(found)


def own_name(template: Template, logical_id: str) -> tuple[str, str] | None:
    """Type and name of a resource with a name of its own; None for one that CloudFormation names."""
    body = template["Resources"][logical_id]
    name = body.get("Properties", {}).get(NAMES.get(body["Type"], ""))
    return (body["Type"], json.dumps(name) if isinstance(name, Mapping) else name) if name else None


def protected(body: Mapping[str, Any]) -> bool:
    """Whether the service refuses to delete the resource, as it is declared."""
    properties = body.get("Properties", {})
    attributes = {each["Key"]: each["Value"] for each in properties.get("LoadBalancerAttributes", ())}
    return bool(
        properties.get("DeletionProtection")
        or any(replica.get("DeletionProtectionEnabled") for replica in properties.get("Replicas", ()))
        or str(attributes.get("deletion_protection.enabled")).lower() == "true"
    )


def rights_lacking(template: Template, logical_id: str) -> list[str]:
    """What a service checks of a role at creation, and no policy that is there by then allows."""
    body = template["Resources"][logical_id]
    properties = body.get("Properties", {})
    role_property, wanted = CHECKED.get(body["Type"], ("", ()))
    if role_property not in properties or (role_property == "ServiceRole" and "Auth" not in properties["Source"]):
        return []
    roles = references(properties[role_property])
    there = (template["Resources"][each] for each in dependencies(template, logical_id))
    allowed = json.dumps([each for each in there if _of(each, roles)])
    return [action for action in wanted if action not in allowed]


def _of(body: Mapping[str, Any], roles: frozenset[str] | set[str]) -> bool:
    return body["Type"] in POLICIES and bool(references(body["Properties"].get("Roles", [])) & roles)


def _needs(template: Template, logical_id: str) -> set[str]:
    body = template["Resources"][logical_id]
    depends = body.get("DependsOn", [])
    named = {depends} if isinstance(depends, str) else {*depends}
    return ({*references(body.get("Properties", {}))} | named) & set(template["Resources"])


def _kept_by(template: Template, logical_id: str, left: Mapping[str, Left]) -> str | None:
    """What keeps a resource from being deleted in the rollback; None when it goes."""
    body = template["Resources"][logical_id]
    if body.get("DeletionPolicy") == KEPT:
        return KEPT
    if protected(body):
        return "protection"
    if body["Type"] in _HELD:
        return next((each for each in left if logical_id in dependencies(template, each)), None)
    return None
