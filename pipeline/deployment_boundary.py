"""The most that CloudFormation may do in production when it deploys: the boundary of bootstrapping's role.

`tap-reconcile` passes no role, yet CloudFormation executes its change sets as the role that bootstrapping makes
an administrator. Under this boundary that role makes, changes and passes only roles of this project, each under one of
the
two boundaries that the project deploys, and no users, keys or sign-ins at all.

`python -m pipeline.deployment_boundary` prints the policy; docs/runbook.md, First set-up, says where it goes.
https://docs.aws.amazon.com/cdk/v2/guide/customize-permissions-boundaries.html
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pipeline.permission_boundary import NAME as OPTIMIZER
from stages.permission_boundary import NAME as PLATFORM

NAME = "tap-deployment-boundary"
IN_BOUNDS = (
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
)
ON_ROLES = (
    "iam:AddRoleToInstanceProfile",
    "iam:CreateInstanceProfile",
    "iam:DeleteInstanceProfile",
    "iam:DeleteRole",
    "iam:PassRole",
    "iam:RemoveRoleFromInstanceProfile",
    "iam:TagInstanceProfile",
    "iam:TagRole",
    "iam:UntagInstanceProfile",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
)
ON_POLICIES = (
    "iam:CreatePolicy",
    "iam:CreatePolicyVersion",
    "iam:DeletePolicy",
    "iam:DeletePolicyVersion",
    "iam:SetDefaultPolicyVersion",
    "iam:TagPolicy",
    "iam:UntagPolicy",
)
NOT_BY_ITSELF = ("account:*", "iam:*", "organizations:*", "sts:*")


def deployment_boundary(production: str) -> dict[str, Any]:
    """The policy for this production account."""
    identity = f"arn:aws:iam::{production}"
    bounds = [f"{identity}:policy/{name}" for name in (PLATFORM, OPTIMIZER)]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "AllButIdentity", "Effect": "Allow", "NotAction": list(NOT_BY_ITSELF), "Resource": "*"},
            _allow("ReadIdentity", ["iam:Get*", "iam:List*", "iam:CreateServiceLinkedRole"], "*"),
            {
                **_allow("OwnRolesInBounds", list(IN_BOUNDS), f"{identity}:role/tap-*"),
                "Condition": {"StringEquals": {"iam:PermissionsBoundary": bounds}},
            },
            _allow("OwnRoles", list(ON_ROLES), [f"{identity}:role/tap-*", f"{identity}:instance-profile/tap-*"]),
            _allow("OwnPolicies", list(ON_POLICIES), f"{identity}:policy/tap-*"),
            {
                "Sid": "NeverThisOne",
                "Effect": "Deny",
                "Action": list(ON_POLICIES),
                "Resource": f"{identity}:policy/{NAME}",
            },
        ],
    }


def _allow(sid: str, actions: list[str], resource: str | list[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(deployment_boundary(sys.argv[1]), separators=(",", ":")) + "\n")
