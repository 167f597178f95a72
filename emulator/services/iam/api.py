"""AWS IAM: the policy simulator for a role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.core.errors import AwsError
from emulator.core.policy_evaluation import Allowed
from emulator.core.registry import Answer, emulates
from emulator.iam_actions import EVERYTHING, Required
from emulator.services.iam.authorization import Authorization, ConditionKeys, Rights

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

API = "https://docs.aws.amazon.com/IAM/latest/APIReference"


@emulates(
    "iam",
    "SimulatePrincipalPolicy",
    rule="Evaluates policies and boundary of the role for each action and resource, with the condition keys of the "
    "request alone; tags of resources are not looked up.",
    source=f"{API}/API_SimulatePrincipalPolicy.html",
)
def simulate_principal_policy(account: Account, call: Call) -> Answer:
    asked = call.parameters
    rights = account.part(Authorization).of(asked["PolicySourceArn"])
    if rights is None:
        raise AwsError("NoSuchEntity", f"{asked['PolicySourceArn']} cannot be found.", 404)
    context = {each["ContextKeyName"].lower(): each["ContextKeyValues"] for each in asked.get("ContextEntries", ())}
    results = [
        _result(rights, Required(action, resource, context), call.region)
        for action in asked["ActionNames"]
        for resource in asked.get("ResourceArns", (EVERYTHING,))
    ]
    return {"EvaluationResults": results, "IsTruncated": False}


def _result(rights: Rights, right: Required, region: str) -> dict[str, Any]:
    decision = rights.decide(right, ConditionKeys(right.keys, rights.arn, region, right.resource))
    told = "allowed" if isinstance(decision, Allowed) else "implicitDeny"
    if told != "allowed" and "explicit deny" in getattr(decision, "reason", ""):
        told = "explicitDeny"
    return {"EvalActionName": right.action, "EvalResourceName": right.resource, "EvalDecision": told}
