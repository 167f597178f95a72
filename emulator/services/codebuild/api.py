"""CodeBuild, as far as jobs use it: starting another project's build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.cloudformation.stacks import StackStore
from emulator.services.codebuild.builds import Builds
from emulator.workload.workload import Sources

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

PROJECT = "AWS::CodeBuild::Project"


@emulates(
    "codebuild",
    "StartBuild",
    rule="Refused at the account's limit of concurrent builds, and for a project that does not exist; the build's "
    "commands begin later, when its container is provisioned.",
    source="https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html",
)
def start_build(account: Account, call: Call) -> Answer:
    name = call.parameters["projectName"]
    stacks = account.part(StackStore).of(call.account, call.region)
    found = [each for stack in stacks for each in stack.resources.values() if each.type == PROJECT]
    if name not in [each.physical_id for each in found]:
        raise AwsError("ResourceNotFoundException", f"Project cannot be found: arn:aws:codebuild:{call.region}:{name}")
    builds, limit = account.part(Builds), build_limit(account)
    if not builds.may_start(limit):
        raise AwsError(
            "AccountLimitExceededException", f"Cannot have more than {limit} builds in queue for the account"
        )
    build = builds.start(f"{name}:{account.identifier()}", name, account.clock.now())
    return {"build": {"id": build.id, "projectName": name, "buildStatus": "IN_PROGRESS"}}


def build_limit(account: Account) -> int | None:
    """The account's limit of concurrent builds in the scenario; None without a limit."""
    workload = account.part(Sources).workload
    return workload.build_limit(account.clock.now()) if workload else None
