"""Tags put on resources during the rehearsal, and the resources that a tenant owns by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.errors import UsageError
from emulator.core.call_record import Call
from optimizer.model.resource import Governed, Kind
from optimizer.ports.aws import Aws


@dataclass(frozen=True)
class Owned:
    """One resource that belongs to a tenant from `since` on."""

    name: str
    arn: str
    since: datetime

    def touched_by(self, call: Call) -> bool:
        """Whether the call changed this resource: it succeeded, it is mutating, and it names the resource."""
        if not call.mutating or call.error is not None or call.at < self.since:
            return False
        return any(text in (self.name, self.arn) for text in _strings(call.parameters))


def put_tags(
    aws: Aws, governed: Iterable[Governed], resource: str, tags: Mapping[str, str], instance: int | None = None
) -> Owned | None:
    """Tag the resource with that physical name; returns the tenant's ownership, if any. UsageError for an unknown name.

    With `instance`, that instance of a group is tagged, and the whole group counts as the tenant's.
    """
    for each in governed:
        if each.name == resource and instance is not None:
            ec2, scaling = aws.at(each.region).ec2, aws.at(each.region).autoscaling
            (group,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[resource])["AutoScalingGroups"]
            tagged = group["Instances"][instance - 1]["InstanceId"]
            ec2.create_tags(Resources=[tagged], Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
            return Owned(each.name, each.arn, aws.clock.now()) if any(_is_tenant_key(key) for key in tags) else None
        if each.name == resource:
            _put(aws.at(each.region), each, tags)
            owns = any(_is_tenant_key(key) for key in tags)
            return Owned(each.name, each.arn, aws.clock.now()) if owns else None
    raise UsageError(f"The scenario tags {resource}, which is none of the governed resources.")


def tenant_resources_touched(calls: Iterable[Call], owned: Sequence[Owned]) -> int:
    """Number of tenants' resources that the optimizer changed, counted from the account's call record."""
    changing = [call for call in calls if call.mutating]
    return sum(any(each.touched_by(call) for call in changing) for each in owned)


def _put(aws: Aws, governed: Governed, tags: Mapping[str, str]) -> None:
    listed: Any = [{"Key": key, "Value": value} for key, value in tags.items()]
    match governed.kind:
        case Kind.FLEET:
            group = {"ResourceId": governed.name, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": True}
            for each in listed:
                each.update(group)
            aws.autoscaling.create_or_update_tags(Tags=listed)
        case Kind.TABLE:
            aws.dynamodb.tag_resource(ResourceArn=governed.arn, Tags=listed)
        case Kind.LOAD_BALANCER:
            aws.elbv2.add_tags(ResourceArns=[governed.arn], Tags=listed)
        case Kind.CACHE:
            aws.elasticache.add_tags_to_resource(ResourceName=governed.arn, Tags=listed)
        case _:
            aws.rds.add_tags_to_resource(ResourceName=governed.arn, Tags=listed)


def _is_tenant_key(key: str) -> bool:
    return key.strip().lower().partition(":")[0] == "tenantid"


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)
