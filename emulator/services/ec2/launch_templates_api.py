"""Amazon EC2: launch template versions that build on one another, and can be deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.ec2.models import ec2_backends
from moto.ec2.models.launch_templates import LaunchTemplateVersion

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account


@dataclass
class TemplateTokens:
    """The request under each client token, and its answer."""

    given: dict[tuple[str, str, str], tuple[Mapping[str, Any], Answer]] = field(default_factory=dict)


@dataclass
class DeletedVersions:
    """The numbers of deleted versions, by launch template: moto keeps the deleted versions, because it counts them."""

    by_template: dict[str, set[int]] = field(default_factory=dict)

    def of(self, template: str) -> set[int]:
        return self.by_template.setdefault(template, set())


@emulates(
    "ec2",
    "CreateLaunchTemplateVersion",
    rule="Inherits every parameter of SourceVersion that the call does not set; a ClientToken makes it idempotent, and "
    "refuses other parameters under the same token.",
    source="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplateVersion.html",
)
def create_launch_template_version(account: Account, call: Call) -> Answer:
    asked = dict(call.parameters)
    token = asked.pop("ClientToken", None)
    tokens = account.part(TemplateTokens).given
    key = (call.account, call.region, str(token))
    if token is not None and key in tokens:
        before, answer = tokens[key]
        if before != asked:
            raise AwsError(
                "IdempotentParameterMismatch", "The request uses the same client token with other parameters."
            )
        return answer
    answer = _create(account, call, asked)
    if token is not None:
        tokens[key] = (asked, answer)
    return answer


@emulates(
    "ec2",
    "DeleteLaunchTemplateVersions",
    rule="Refuses the default version; numbers are not reused; the answer lists versions that could not be deleted.",
    source="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteLaunchTemplateVersions.html",
)
def delete_launch_template_versions(account: Account, call: Call) -> Answer:
    template = _template(ec2_backends[call.account][call.region], call.parameters)
    if template is None:
        raise AwsError("InvalidLaunchTemplateId.NotFound", "The specified launch template does not exist.")
    gone = account.part(DeletedVersions).of(template.id)
    done, failed = [], []
    for version in call.parameters["Versions"]:
        told = {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "VersionNumber": int(version)}
        if why := _undeletable(template, int(version), gone):
            failed.append({**told, "ResponseError": {"Code": why[0], "Message": why[1]}})
        else:
            gone.add(int(version))
            done.append(told)
    return {
        "SuccessfullyDeletedLaunchTemplateVersions": done,
        "UnsuccessfullyDeletedLaunchTemplateVersions": failed,
    }


def _undeletable(template: Any, version: int, gone: set[int]) -> tuple[str, str] | None:
    if not 1 <= version <= len(template.versions) or version in gone:
        return "launchTemplateVersionDoesNotExist", f"The launch template version {version} does not exist."
    if version == template.default_version_number:
        return "unexpectedError", "Cannot delete the default version of a launch template."
    return None


@emulates(
    "ec2",
    "DescribeLaunchTemplateVersions",
    rule="Deleted versions are not listed.",
    source="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplateVersions.html",
)
def describe_launch_template_versions(account: Account, call: Call) -> Answer | None:
    template = _template(ec2_backends[call.account][call.region], call.parameters)
    gone = account.part(DeletedVersions).of(template.id) if template is not None else set()
    if not gone:
        return None
    if missing := [each for each in call.parameters.get("Versions", ()) if each.isdigit() and int(each) in gone]:
        raise AwsError(
            "InvalidLaunchTemplateId.VersionNotFound",
            f"Could not find launch template version {missing[0]} of launch template {template.id}",
        )
    answer = call.forward()
    versions = [each for each in answer["LaunchTemplateVersions"] if each["VersionNumber"] not in gone]
    return {**answer, "LaunchTemplateVersions": versions}


def _create(account: Account, call: Call, asked: Mapping[str, Any]) -> Answer:
    if ("LaunchTemplateId" in asked) == ("LaunchTemplateName" in asked):
        raise AwsError("InvalidParameterCombination", "Give either LaunchTemplateId or LaunchTemplateName.")
    backend = ec2_backends[call.account][call.region]
    source = asked.get("SourceVersion")
    if source is not None:
        _refuse_unknown_version(backend, asked, source)
    number = call.forward()["LaunchTemplateVersion"]["VersionNumber"]
    template = _template(backend, asked)
    made = template.versions[-1]
    if source is not None:
        inherited = template.get_version(source).data
        template.versions[-1] = LaunchTemplateVersion(template, number, {**inherited, **made.data}, made.description)
    shown = account.client("ec2", call.account, call.region).describe_launch_template_versions(
        LaunchTemplateId=template.id, Versions=[str(number)]
    )
    return {"LaunchTemplateVersion": shown["LaunchTemplateVersions"][0]}


def _template(backend: Any, asked: Mapping[str, Any]) -> Any:
    name = asked.get("LaunchTemplateName")
    identifier = asked.get("LaunchTemplateId") or backend.launch_template_name_to_ids.get(name)
    return backend.launch_templates.get(identifier)


def _refuse_unknown_version(backend: Any, asked: Mapping[str, Any], version: str) -> None:
    template = _template(backend, asked)
    if template is None or version in ("$Latest", "$Default"):
        return  # moto refuses an unknown template itself
    if not version.isdigit() or not 1 <= int(version) <= len(template.versions):
        raise AwsError(
            "InvalidLaunchTemplateId.VersionNotFound",
            f"Could not find launch template version {version} of launch template {template.id}",
        )
