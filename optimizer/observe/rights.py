"""Whether a role really has the rights that the actions declare: asked of IAM, which knows what no template shows.

Boundaries are evaluated with it, and so are an organization's own policies.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from optimizer.action import Permission


def for_undo(permissions: Iterable[Permission]) -> list[Permission]:
    """Permissions to undo: every declared change, each once. Undoing a move makes the same calls the other way."""
    return list({(each.action, each.resources): each for each in permissions if each.writes}.values())


def refused(iam: Any, role_arn: str, permissions: Iterable[Permission], regions: Sequence[str]) -> list[str]:
    """The rights that the role lacks, each as "action on resource: why"; empty when it has all. Changes nothing.

    A pattern is asked for by one name that fits it, under the conditions that the permission has itself. Whoever asks
    needs iam:SimulatePrincipalPolicy on the role.
    """
    return [line for permission in permissions for line in _refused(iam, role_arn, permission, regions)]


def _refused(iam: Any, role_arn: str, permission: Permission, regions: Sequence[str]) -> Iterator[str]:
    _, partition, _, _, account, _ = role_arn.split(":", 5)
    arns = {
        "*" if pattern == "*" else pattern.format(partition=partition, account=account, region=region).replace("*", "x")
        for pattern in permission.resources
        for region in regions
    }
    answer = iam.simulate_principal_policy(
        PolicySourceArn=role_arn,
        ActionNames=[permission.action],
        ResourceArns=sorted(arns),
        ContextEntries=list(_context(permission.conditions)),
    )
    for result in answer["EvaluationResults"]:
        if result["EvalDecision"] != "allowed":
            organization = result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True)
            why = result["EvalDecision"] if organization else "an organization's policy"
            yield f"{result['EvalActionName']} on {result.get('EvalResourceName', '*')}: {why}"


def _context(conditions: Mapping[str, Mapping[str, str | list[str]]]) -> Iterator[dict[str, Any]]:
    """Values under which the permission's own conditions hold."""
    for operator, keys in conditions.items():
        for key, wanted in keys.items():
            if operator == "Null" and wanted == "true":
                continue  # the key has to be absent
            values = ["x"] if operator == "Null" else [wanted] if isinstance(wanted, str) else wanted[:1]
            many = operator.startswith(("ForAnyValue:", "ForAllValues:"))
            kind = "boolean" if operator == "Bool" else "stringList" if many else "string"
            examples = [each.replace("*", "x") for each in values]
            yield {"ContextKeyName": key, "ContextKeyValues": examples, "ContextKeyType": kind}
