"""What a table's resource-based policy denies to everybody: IAM's rule, as far as such a statement needs it.

IAM User Guide, "Policy evaluation logic": an explicit deny wins over every allow and binds every
principal, the account's root user included. Of conditions only `ArnNotEquals` on `aws:PrincipalArn`
is evaluated; a statement with another one, or with single principals, counts as denying nobody here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

READS = ("dynamodb:Query", "dynamodb:Scan")


def denies(policy: str | None, action: str, resource: str, caller: str = "") -> bool:
    """Whether the policy's text denies this action on this ARN: to everybody, or to the caller of this ARN."""
    if policy is None:
        return False
    found = json.loads(policy).get("Statement", [])
    return any(_denies(each, action, resource, caller) for each in ([found] if isinstance(found, Mapping) else found))


def _denies(statement: Mapping[str, Any], action: str, resource: str, caller: str) -> bool:
    everybody = statement.get("Principal") in ("*", {"AWS": "*"}) and _meant(statement.get("Condition"), caller)
    return (
        statement.get("Effect") == "Deny"
        and everybody
        and any(fnmatchcase(action.lower(), each.lower()) for each in _listed(statement.get("Action", [])))
        and any(fnmatchcase(resource, each) for each in _listed(statement.get("Resource", [])))
    )


def _meant(condition: Mapping[str, Any] | None, caller: str) -> bool:
    """Whether the condition takes the caller in. A session counts as its role (IAM User Guide, aws:PrincipalArn)."""
    match condition:
        case None:
            return True
        case {"ArnNotEquals": {"aws:PrincipalArn": str(spared)}} if caller:
            return not fnmatchcase(_principal(caller), spared)
    return False


def _principal(caller: str) -> str:
    if ":assumed-role/" not in caller:
        return caller
    account, session = caller.removeprefix("arn:aws:sts::").split(":assumed-role/", 1)
    return f"arn:aws:iam::{account}:role/{session.split('/', 1)[0]}"


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
