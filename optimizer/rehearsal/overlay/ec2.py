"""Amazon EC2: launch template versions that build on one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.ec2.models import ec2_backends
from moto.ec2.models.launch_templates import LaunchTemplateVersion

from optimizer.rehearsal.overlay import Answer, AwsError, emulates

if TYPE_CHECKING:
    from optimizer.rehearsal.account import EmulatedAccount
    from optimizer.rehearsal.calls import Call


@dataclass
class TemplateTokens:
    """What was asked under each client token, and what was answered."""

    given: dict[tuple[str, str, str], tuple[Mapping[str, Any], Answer]] = field(default_factory=dict)


@emulates(
    "ec2",
    "CreateLaunchTemplateVersion",
    rule="Inherits every parameter of SourceVersion that is not given anew; a ClientToken makes it idempotent, "
    "and refuses other parameters under the same token.",
    source="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplateVersion.html",
)
def create_launch_template_version(account: EmulatedAccount, call: Call) -> Answer:
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


def _create(account: EmulatedAccount, call: Call, asked: Mapping[str, Any]) -> Answer:
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
    identifier = asked.get("LaunchTemplateId") or backend.launch_template_name_to_ids.get(asked["LaunchTemplateName"])
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
