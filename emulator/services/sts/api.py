"""AWS STS: role sessions across the two accounts, for one hour at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from emulator.core.credentials import SESSION
from emulator.core.errors import AwsError
from emulator.core.policy_evaluation import Denied, role_of
from emulator.core.registry import Answer, emulates
from emulator.iam_actions import required
from emulator.services.iam.authorization import ConditionKeys, beyond, trusts

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account


@dataclass
class DrivenByHand:
    """Whether a person drives the account, which then serves other processes."""

    on: bool = False


@emulates(
    "sts",
    "AssumeRole",
    rule="A session of a role lasts one hour by default; a role of an unknown account is denied, and so is a caller "
    "whom the role's trust policy does not name, or names under a condition that does not hold.",
    source="https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html",
)
def assume_role(account: Account, call: Call) -> Answer:
    arn = call.parameters["RoleArn"]
    parts = arn.split(":")
    if len(parts) != 6 or not parts[5].startswith("role/"):
        raise AwsError("ValidationError", f"{arn} is invalid")
    if parts[4] not in account.credentials.accounts:
        raise AwsError("AccessDenied", f"User is not authorized to perform: sts:AssumeRole on resource: {arn}", 403)
    _refuse_untrusted(account, call, arn)
    until = account.clock.now() + _duration(call.parameters)
    key = account.credentials.assume(arn, call.parameters["RoleSessionName"], until)
    return {
        "Credentials": {
            "AccessKeyId": key.id,
            "SecretAccessKey": key.secret,
            "SessionToken": key.token,
            "Expiration": until,
        },
        "AssumedRoleUser": {
            "AssumedRoleId": f"AROA{key.id[4:]}:{key.session_name}",
            "Arn": account.credentials.arn_of(key.id),
        },
    }


def _refuse_untrusted(account: Account, call: Call, role: str) -> None:
    caller = role_of(account.caller_arn(call))
    user = account.credentials.arn_of(account.credentials.of_user(account.tooling).id)
    if account.part(DrivenByHand).on and caller == user:
        return  # an administrator, who acts as each job
    for right in (*required(call), *beyond(call)):
        if isinstance(trusts(role, caller, right.action, ConditionKeys(right.keys, caller, call.region, role)), Denied):
            raise AwsError(
                "AccessDenied",
                f"User: {account.caller_arn(call)} is not authorized to perform: {right.action} on resource: {role}",
                403,
            )


def _duration(parameters: Any) -> timedelta:
    seconds = int(parameters.get("DurationSeconds", SESSION.total_seconds()))
    if seconds > SESSION.total_seconds():
        raise AwsError("ValidationError", "The requested DurationSeconds exceeds the 1 hour limit of role chaining.")
    if seconds < 900:
        raise AwsError("ValidationError", "The requested DurationSeconds is below the minimum of 900.")
    return timedelta(seconds=seconds)


@emulates(
    "sts",
    "GetCallerIdentity",
    rule="The ARN of the calling role session.",
    source="https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html",
)
def get_caller_identity(account: Account, call: Call) -> Answer:
    return {
        "UserId": f"AID{call.access_key[3:]}",
        "Account": call.account,
        "Arn": account.caller_arn(call),
    }
