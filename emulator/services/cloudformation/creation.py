"""First creation of a stack by CloudFormation, and the remains of a failed creation.

The module uses only the graph of a template's resources and their policies: it calls no service, so that types
that are not emulated take part as well. It assumes no order that the template does not give: among
the resources that may be created next, policies come last.

- A service that checks a role at creation finds only the policies that the resource depends on. CodeBuild opens a
  source connection (https://github.com/aws/aws-cdk/issues/38504); RDS refuses a monitoring role without rights
  ("IAM role ARN value is invalid or does not include the required permissions for: ENHANCED_MONITORING",
  https://github.com/hashicorp/terraform-provider-aws/issues/315).
- A custom name is taken as long as its resource exists, whichever stack made it.
- A failed creation is rolled back: `Retain` keeps the created resource, `RetainExceptOnCreate` does not
  (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html). A
  resource that is protected or in use cannot be deleted, and the rollback fails.
- A stack whose creation failed takes no update: it is deleted, and created again
  (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html#cfn-stack-status-codes).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudformation.creation_graph import POLICIES, creation_order, dependencies, own_name, protected
from cloudformation.template import Template, references

KEPT = "Retain"
CHECKED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "AWS::CodeBuild::Project": ("ServiceRole", ("GetConnection", "UseConnection")),
    "AWS::RDS::DBInstance": ("MonitoringRoleArn", ("logs:PutLogEvents",)),
}
"""By type: the property with the role whose rights are checked at creation, and some of the rights that are checked."""
_HELD = (  # cannot be deleted while a user of it exists
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
class LeftBehind:
    """One resource that a failed creation left, and the reason: "Retain", "protection", or the user's logical id."""

    logical_id: str
    type: str
    name: str | None
    kept_by: str


@dataclass(frozen=True)
class Creation:
    """The result of a stack's creation. `failed` and `reason` belong to the first resource that could not be made."""

    status: str
    failed: str | None = None
    reason: str | None = None
    left: tuple[LeftBehind, ...] = ()


class StackRefused(Exception):
    """CloudFormation refuses the call; the message is its own."""


@dataclass
class CreatingAccount:
    """One account and Region: its stacks, and the names in use."""

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

    def remove(self, left: LeftBehind) -> None:
        """Delete a resource after lifting its protection, as a person does."""
        if left.name is not None:
            self.names.discard((left.type, left.name))

    def delete(self, stack: str) -> None:
        """Delete a stack whose creation failed. Raises StackRefused while a remaining resource uses part of it."""
        left = {each.logical_id: each for each in self.stacks[stack].left}
        for each in left.values():
            holder = left.get(each.kept_by, each)  # its user, or itself: its protection was not lifted
            if each.kept_by != KEPT and (holder.type, holder.name) in self.names:
                raise StackRefused(f"{stack} is in DELETE_FAILED: {holder.logical_id} is still there")
        self.names -= {(each.type, each.name) for each in left.values() if each.kept_by != KEPT and each.name}
        del self.stacks[stack]

    def _refusal(self, template: Template, logical_id: str) -> str | None:
        """The service's reason to refuse this resource; None if it makes it."""
        name = own_name(template, logical_id)
        if name is not None and name in self.names:
            return f"{name[1]} already exists"
        if lacking := rights_lacking(template, logical_id):
            return f"its role does not allow {', '.join(lacking)} yet"
        return None

    def _rolled_back(self, template: Template, made: list[str], failed: str, reason: str) -> Creation:
        left: dict[str, LeftBehind] = {}
        for logical_id in reversed(made):
            if kept_by := _kept_by(template, logical_id, left):
                name = own_name(template, logical_id)
                body = template["Resources"][logical_id]
                left[logical_id] = LeftBehind(logical_id, body["Type"], name[1] if name else None, kept_by)
            elif (name := own_name(template, logical_id)) is not None:
                self.names.discard(name)
        whole = all(each.kept_by == KEPT for each in left.values())
        return Creation("ROLLBACK_COMPLETE" if whole else "ROLLBACK_FAILED", failed, reason, tuple(left.values()))


def rights_lacking(template: Template, logical_id: str) -> list[str]:
    """Rights that a service checks at creation and that no policy existing by then allows."""
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


def _kept_by(template: Template, logical_id: str, left: Mapping[str, LeftBehind]) -> str | None:
    """The reason why the rollback cannot delete a resource; None if it can."""
    body = template["Resources"][logical_id]
    if body.get("DeletionPolicy") == KEPT:
        return KEPT
    if protected(body):
        return "protection"
    if body["Type"] in _HELD:
        return next((each for each in left if logical_id in dependencies(template, each)), None)
    return None
