"""One version of a launch template that the optimizer makes, and takes away again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from domain.errors import MoveFailed
from optimizer.ports.aws import Aws

if TYPE_CHECKING:
    from types_boto3_ec2.literals import InstanceTypeType


@dataclass(frozen=True)
class LaunchTemplateVersion:
    """A version that differs from `source` in the instance type alone, found by its description, `made_for`."""

    template: str
    source: str
    made_for: str

    def number(self, aws: Aws) -> str | None:
        """Its number; None when there is none."""
        pages = aws.ec2.get_paginator("describe_launch_template_versions").paginate(LaunchTemplateId=self.template)
        versions = [each for page in pages for each in page["LaunchTemplateVersions"]]
        numbers = (str(v["VersionNumber"]) for v in versions if v.get("VersionDescription") == self.made_for)
        return next(numbers, None)

    def make(self, aws: Aws, instance_type: str) -> None:
        """All of the source's data, and another type."""
        aws.ec2.create_launch_template_version(
            LaunchTemplateId=self.template,
            SourceVersion=self.source,
            VersionDescription=self.made_for,
            LaunchTemplateData={"InstanceType": cast("InstanceTypeType", instance_type)},
        )

    def delete(self, aws: Aws) -> None:
        """Take it away, once nothing uses it. Raises MoveFailed with AWS's reason."""
        number = self.number(aws)
        if number is None:
            return
        answer = aws.ec2.delete_launch_template_versions(LaunchTemplateId=self.template, Versions=[number])
        for failed in answer.get("UnsuccessfullyDeletedLaunchTemplateVersions", ()):
            raise MoveFailed(f"{self.template}: version {number} cannot be deleted: {failed['ResponseError']}")
