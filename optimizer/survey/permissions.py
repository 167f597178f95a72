"""Permissions of a survey: the actions it declares, the IAM policy they make, and the calls they allow."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache

from domain.names import DECLARATION as TIERS
from optimizer.action import Permission
from optimizer.actions import registry
from optimizer.observe.permissions import MONEY, OBSERVE, reading

# Declared by the actions, and asked only where a change is carried out.
_BY_MOVES = frozenset(
    {
        "dynamodb:DescribeExport",
        "dynamodb:DescribeImport",
        "dynamodb:DescribeBackup",
        "dynamodb:ListBackups",
        "elasticache:DescribeEvents",
        "elasticache:DescribeSnapshots",
        "ec2:DescribeCapacityReservations",
        "ec2:DescribeSecurityGroups",
        "rds:DescribeDBClusterSnapshots",
        "ssm:ListTagsForResource",
    }
)
# Whether anything is being deployed, before a phase; what a group replaced, in a window.
_BY_JOBS = frozenset({"autoscaling:DescribeScalingActivities", "cloudformation:DescribeStacks"})
_OWN = reading("amazondynamodb", "dynamodb:ListTables")  # finds tables that carry no tag
# Where the name of an operation is not that of its action, or its service has another prefix.
_PREFIXES = {
    "elbv2": "elasticloadbalancing",
    "resourcegroupstaggingapi": "tag",
    "service-quotas": "servicequotas",
}
FREE = ("sts:GetCallerIdentity",)  # "No permissions are required" (STS API Reference)


@cache
def needed() -> tuple[Permission, ...]:
    """Every permission of a survey, each once; none of them writes or reads what is kept in a table."""
    declared: Iterable[Permission] = (each for action in registry() for each in action.permissions)
    reads = (each for each in declared if not (each.writes or each.items or each.dependent))
    permissions = {
        (each.action, each.resources): each for each in (*OBSERVE, *MONEY, *_OWN, *reads) if not _is_left_out(each)
    }
    return tuple(permissions.values())


def _is_left_out(permission: Permission) -> bool:
    """Whether no survey asks for it: the parameters by which an application tells its tiers are the foundation's."""
    tiers = any(pattern.endswith(f"parameter{TIERS}") for pattern in permission.resources)
    return permission.action in _BY_MOVES | _BY_JOBS or tiers


@cache
def allowed() -> frozenset[str]:
    """The IAM actions that a survey may use."""
    return frozenset({*(each.action for each in needed()), *FREE})


def action_of(service: str, operation: str) -> str:
    """The IAM action of an operation, by boto3's name of its service."""
    return f"{_PREFIXES.get(service, service)}:{operation}"


def policy(partition: str = "aws") -> str:
    """The IAM policy that a survey needs, as JSON: one statement for each set of resources, none twice."""
    patterns: dict[str, set[str]] = defaultdict(set)
    for each in needed():
        patterns[each.action] |= {p.format(partition=partition, account="*", region="*") for p in each.resources}
    by_resources: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for action, of_action in patterns.items():
        wide = {p for p in of_action if not any(p != other and fnmatchcase(p, other) for other in of_action)}
        by_resources[tuple(sorted(wide))].add(action)
    statements = [
        {
            "Effect": "Allow",
            "Action": sorted(actions),
            "Resource": list(resources) if len(resources) > 1 else resources[0],
        }
        for resources, actions in sorted(by_resources.items())
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)
