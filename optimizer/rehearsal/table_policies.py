"""What a table's resource-based policy denies to everybody: IAM's rule, as far as such a statement needs it.

IAM User Guide, "Policy evaluation logic": an explicit deny wins over every allow and binds every
principal, the account's root user included. Conditions and single principals are not evaluated: a
statement with either counts as denying nobody here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

READS = ("dynamodb:Query", "dynamodb:Scan")


def denies(policy: str | None, action: str, resource: str) -> bool:
    """Whether the policy's text denies everybody this action on this ARN."""
    if policy is None:
        return False
    found = json.loads(policy).get("Statement", [])
    return any(_denies(each, action, resource) for each in ([found] if isinstance(found, Mapping) else found))


def _denies(statement: Mapping[str, Any], action: str, resource: str) -> bool:
    everybody = statement.get("Principal") in ("*", {"AWS": "*"}) and "Condition" not in statement
    return (
        statement.get("Effect") == "Deny"
        and everybody
        and any(fnmatchcase(action.lower(), each.lower()) for each in _listed(statement.get("Action", [])))
        and any(fnmatchcase(resource, each) for each in _listed(statement.get("Resource", [])))
    )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
