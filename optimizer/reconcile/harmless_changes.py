"""Which changes of a reconciling change set are harmless: pure, and closed by default.

A reconciling change set brings a stack's template after the account; nothing that holds data or
serves requests may be touched by it. What is not named here is refused. The fields are those of
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudformation.template import Template
from optimizer.reconcile.policy_diff import lost_resources

GROUP = "AWS::AutoScaling::AutoScalingGroup"
LAUNCH_TEMPLATE = "AWS::EC2::LaunchTemplate"
POLICY = "AWS::IAM::Policy"
PREVIOUS = "PREVIOUS_DEPLOYMENT_STATE"  # BeforeValueFrom of what cannot be read from the account
# A change under one of these drift states would be made blindly.
BLIND = (None, "NOT_CHECKED", "UNKNOWN", "UNSUPPORTED")
# They tell of, or belong to, what the optimizer changed; they hold no data and serve no request. A
# security group, a subnet group and a parameter group cannot even be deleted while something uses them.
FOLLOWERS: Mapping[str, tuple[str, ...]] = {
    "AWS::CloudWatch::Alarm": ("Add", "Modify", "Remove"),
    "AWS::CloudWatch::Dashboard": ("Modify",),
    "AWS::EC2::SecurityGroup": ("Remove",),
    POLICY: ("Modify", "Remove"),  # only of what is gone
    "AWS::IAM::Role": ("Remove",),
    "AWS::RDS::DBClusterParameterGroup": ("Remove",),
    "AWS::RDS::DBSubnetGroup": ("Remove",),
    "AWS::SNS::Subscription": ("Remove",),
    "AWS::SNS::Topic": ("Remove",),
    "AWS::SNS::TopicPolicy": ("Remove",),
}
_INDEX = re.compile(r":table/[^/]+/index/[^/*]+$")


@dataclass(frozen=True)
class Detail:
    """One reason of a Modify: the property, where its values come from, and what causes the change."""

    attribute: str
    property: str
    kind: str | None = None  # AttributeChangeType
    evaluation: str = "Static"
    cause: str | None = None  # CausingEntity: LOGICAL_ID.ATTRIBUTE for a Fn::GetAtt
    before: str | None = None
    after: str | None = None
    before_from: str | None = None


@dataclass(frozen=True)
class Change:
    """One change of a change set, as DescribeChangeSet tells it."""

    action: str
    logical_id: str
    type: str
    physical_id: str = ""
    replacement: str | None = None
    policy: str | None = None  # PolicyAction
    drift: str | None = None  # ResourceDriftStatus
    details: tuple[Detail, ...] = ()
    nested: bool = False
    before: str | None = None  # BeforeContext and AfterContext: JSON
    after: str | None = None

    @property
    def real(self) -> tuple[Detail, ...]:
        """The details that would change the resource itself."""
        return tuple(each for each in self.details if each.kind != "SyncWithActual")

    def __str__(self) -> str:
        return f"{self.logical_id} ({self.type}, {self.physical_id or 'new'})"


@dataclass(frozen=True)
class Refusal:
    """A change that must not be executed, and why."""

    change: Change
    reason: str

    def __str__(self) -> str:
        return f"{self.change}: {self.reason}"


def refusals(changes: Sequence[Change], wanted: Template, unmoved: frozenset[str] = frozenset()) -> tuple[Refusal, ...]:
    """The changes that are not harmless, in order; empty when the change set may be executed.

    `wanted` is the template that the change set brings; `unmoved` names the resources that it declares
    as they are deployed, once the attributes of what it imports are written out.
    """
    versions = frozenset(each.logical_id for each in changes if _is_version(each))
    imported = frozenset(each.logical_id for each in changes if each.action == "Import")
    gone = frozenset(each.physical_id for each in changes if (each.action, each.type) == ("Remove", "AWS::IAM::Role"))
    seen = _Seen(wanted["Resources"], versions, imported, unmoved, gone)
    judged = ((change, _refusal(change, seen)) for change in changes)
    return tuple(Refusal(change, reason) for change, reason in judged if reason)


STATEFUL = (
    "AWS::DynamoDB::GlobalTable",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::KMS::Key",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::RDS::GlobalCluster",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
)
"""Types that hold data, or what data is read with."""


def losses(changes: Sequence[Change]) -> tuple[Refusal, ...]:
    """The changes that would replace or delete something that holds data."""
    judged = ((each, _loss(each)) for each in changes if each.type in STATEFUL)
    return tuple(Refusal(change, reason) for change, reason in judged if reason)


def _loss(change: Change) -> str | None:
    if change.action == "Remove" and change.policy != "Retain":
        return f"it would be deleted ({change.policy or 'no policy told'})"
    if change.action not in ("Add", "Import", "Remove") and change.replacement in ("True", "Conditional"):
        return f"it would be replaced (Replacement {change.replacement}): {_in_words(change.real) or change.action}"
    return None


def doubts(changes: Sequence[Change]) -> tuple[Refusal, ...]:
    """The harmful changes in a change set of an unchanged template, with their details; empty when all are harmless.

    Drift, or a false positive of CloudFormation: whichever it is, reconcile would be refused for it later. Only a
    group's recorded capacity that is not below the actual one is left out: reconcile takes it.
    """
    return tuple(Refusal(each, _doubt(each)) for each in changes if not _is_capacity(each))


def _is_capacity(change: Change) -> bool:
    return (
        (change.action, change.type) == ("Modify", GROUP)
        and bool(change.real)
        and all(each.property == "DesiredCapacity" and _rises(each) for each in change.real)
    )


def _doubt(change: Change) -> str:
    what = _in_words(change.real) or change.action
    replaced = (
        f", and replace it (Replacement {change.replacement})" if change.replacement not in (None, "False") else ""
    )
    return f"CloudFormation would change {what}{replaced}, drift status {change.drift or 'not told'}"


@dataclass(frozen=True)
class _Seen:
    """The surroundings that one change is judged by: the new resources, and those that others take a value from."""

    resources: Mapping[str, Any]
    versions: frozenset[str]  # launch templates that get a new one
    imported: frozenset[str]
    unmoved: frozenset[str]
    roles_gone: frozenset[str]


def _is_version(change: Change) -> bool:
    """Whether it is a new version of a launch template, which nothing uses until it is named."""
    return (
        change.type == LAUNCH_TEMPLATE
        and (change.action, change.replacement) == ("Modify", "False")
        and bool(change.details)
        and all(each.property in ("LaunchTemplateData", "VersionDescription") for each in change.details)
        and all(each.evaluation == "Static" for each in change.details)
    )


def _refusal(change: Change, seen: _Seen) -> str | None:
    """Why this change is not harmless."""
    if change.nested or change.type == "AWS::CloudFormation::Stack":
        return "a nested stack has a change set of its own, which nobody judged"
    match change.action:
        case "SyncWithActual":
            return _blind(change)
        case "Import":
            return None
        case "Remove":
            return _removed(change, seen)
        case "Modify":
            return _blind(change) or _modified(change, seen)
        case "Add" if "Add" in FOLLOWERS.get(change.type, ()):
            return None
        case "Add":
            return "it would be created; what the optimizer made must be imported, and it made nothing else"
        case action:
            return f"CloudFormation cannot tell what it would do to it ({action})"


def _blind(change: Change) -> str | None:
    if change.drift == "DELETED":
        return "it was deleted outside CloudFormation, which would make it anew"
    if change.drift not in BLIND:
        return None
    if change.drift == "UNSUPPORTED" and change.type in FOLLOWERS:
        return None  # nothing is lost by writing it as declared
    return f"its actual state was not compared (drift status {change.drift or 'absent'})"


def _removed(change: Change, seen: _Seen) -> str | None:
    if change.policy == "Retain":
        return None  # CloudFormation lets go of it without a call
    if change.type == POLICY and not _roles(change) <= seen.roles_gone:
        return "it would be taken from a role that stays, or CloudFormation does not tell from which"
    if change.policy == "Delete" and "Remove" in FOLLOWERS.get(change.type, ()):
        return None
    return f"it would be removed with {change.policy or 'no policy told'}; only Retain leaves it as it is"


def _modified(change: Change, seen: _Seen) -> str | None:
    if change.type == GROUP and change.replacement in ("False", "Conditional"):
        return _group(change, seen)
    if change.replacement != "False":
        return f"it would be replaced (Replacement {change.replacement or 'not told'})"
    if change.logical_id in seen.unmoved and all(_source(each) in seen.imported for each in change.details):
        return None  # it refers to what is imported as it is, so its values stay
    if dynamic := [each.property for each in change.details if each.evaluation != "Static"]:
        return f"the new value of {', '.join(dynamic)} is not known before the execution (Dynamic)"
    if _is_version(change):
        return None
    if change.type == POLICY:
        return None if _of_lost_indexes(change) else "its new policy differs in more than indexes that are gone"
    if "Modify" in FOLLOWERS.get(change.type, ()):
        return None
    return f"it would be changed: {_in_words(change.real) or 'no property named'}"


def _group(change: Change, seen: _Seen) -> str | None:
    """A group may take the version that its launch template just got, with the same content, and grow.

    Replacement is Conditional for a group's launch template: the condition is its update policy
    (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatepolicy.html).
    """
    policy = seen.resources.get(change.logical_id, {}).get("UpdatePolicy", {})
    if replacing := {"AutoScalingReplacingUpdate", "AutoScalingRollingUpdate"} & policy.keys():
        return f"its update policy would replace its instances ({', '.join(sorted(replacing))})"
    if not change.details:
        return "no property named"
    return next((reason for each in change.real if (reason := _of_group(each, seen))), None)


def _of_group(detail: Detail, seen: _Seen) -> str | None:
    if detail.property == "LaunchTemplate" and detail.cause in {f"{id}.LatestVersionNumber" for id in seen.versions}:
        return None
    if detail.property == "DesiredCapacity" and detail.evaluation == "Static":
        moved = f"scaling moved its capacity from the recorded {detail.after} to {detail.before}"
        return None if _rises(detail) else f"{moved}, which would be taken back: reconcile when it is there again"
    return f"it would be changed: {_in_words([detail])}"


def _source(detail: Detail) -> str | None:
    """The resource whose attribute the new value is; None for a value that the template gives itself."""
    return detail.cause.partition(".")[0] if detail.cause and detail.evaluation == "Dynamic" else None


def _rises(detail: Detail) -> bool:
    values = (detail.before or "").strip('"'), (detail.after or "").strip('"')
    return all(each.isdigit() for each in values) and int(values[0]) <= int(values[1])


def _of_lost_indexes(change: Change) -> bool:
    """Whether the policy only stops to allow what was allowed on a table's indexes: the account has them no more."""
    before, after = _policy_document(change.before), _policy_document(change.after)
    same_owner = {each.property for each in change.real} <= {"PolicyDocument"}
    if not same_owner or before is None or after is None:
        return False
    lost = lost_resources(before, after)
    return lost is not None and all(_INDEX.search(each) for each in lost)


def _roles(change: Change) -> frozenset[str | None]:
    """The roles that a policy is attached to; one unknown role when that is not told."""
    try:
        properties = json.loads(change.before or "")["Properties"]
    except (json.JSONDecodeError, KeyError, TypeError):
        return frozenset({None})
    others = properties.get("Users") or properties.get("Groups")
    return frozenset({None}) if others else frozenset(properties.get("Roles", ()))


def _policy_document(context: str | None) -> Mapping[str, Any] | None:
    try:
        document = json.loads(context or "")["Properties"]["PolicyDocument"]
    except (json.JSONDecodeError, KeyError, TypeError):
        return None
    return document if isinstance(document, Mapping) else None


def _in_words(details: Sequence[Detail]) -> str:
    return ", ".join(
        f"{each.property or each.attribute} from {each.before or '?'} to {each.after or '?'}"
        + (" (as deployed before: the actual value cannot be read)" if each.before_from == PREVIOUS else "")
        for each in details
    )
