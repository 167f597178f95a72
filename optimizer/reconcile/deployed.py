"""Values of a template's references in an account, read from CloudFormation when first needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from botocore.exceptions import ClientError

from cloudformation.template import Json, Place, Template, Unresolved
from optimizer.ports.aws import Aws

# Attributes that follow from the physical id; CloudFormation tells no others.
_FROM_ID: Mapping[tuple[str, str], str] = {
    ("AWS::EC2::SecurityGroup", "GroupId"): "{id}",
    ("AWS::KMS::Key", "Arn"): "arn:{partition}:kms:{region}:{account}:key/{id}",
    ("AWS::KMS::ReplicaKey", "Arn"): "arn:{partition}:kms:{region}:{account}:key/{id}",
    ("AWS::IAM::Role", "Arn"): "arn:{partition}:iam::{account}:role/{id}",
    ("AWS::IAM::InstanceProfile", "Arn"): "arn:{partition}:iam::{account}:instance-profile/{id}",
    ("AWS::SNS::Topic", "TopicArn"): "{id}",
}


def deployed_template(aws: Aws, stack: str) -> Template | None:
    """The template of a deployed stack; None when there is no such stack."""
    try:
        body = aws.cloudformation.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    except ClientError as error:
        if _is_absent(error):
            return None
        raise
    assert not isinstance(body, str), f"the template of {stack} is not JSON: CDK writes JSON"
    return body


def _is_absent(error: ClientError) -> bool:
    """CloudFormation has no code of its own for a stack that is not there."""
    details = error.response["Error"]
    return details["Code"] == "ValidationError" and "does not exist" in details["Message"]


@dataclass(frozen=True)
class DeployedReferences:
    """A stack of an account as CloudFormation shows it: the `Lookup` of its template."""

    aws: Aws
    place: Place
    template: Template

    @cached_property
    def _physical_ids(self) -> Mapping[str, str]:
        pages = self.aws.cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.place.stack)
        try:
            summaries = [each for page in pages for each in page["StackResourceSummaries"]]
        except ClientError as error:
            if _is_absent(error):
                return {}
            raise
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"] for each in summaries if "PhysicalResourceId" in each
        }

    @cached_property
    def _exports(self) -> Mapping[str, str]:
        pages = self.aws.cloudformation.get_paginator("list_exports").paginate()
        return {each["Name"]: each["Value"] for page in pages for each in page["Exports"]}

    def ref(self, logical_id: str) -> Json:
        if logical_id not in self._physical_ids:
            raise Unresolved(f"stack {self.place.stack} has no resource {logical_id} deployed")
        return self._physical_ids[logical_id]

    def attribute(self, logical_id: str, name: str) -> Json:
        type_name = self.template["Resources"].get(logical_id, {}).get("Type", "")
        if (pattern := _FROM_ID.get((type_name, name))) is None:
            raise Unresolved(f"CloudFormation does not tell {name} of a deployed {type_name}")
        place = self.place
        known = {"partition": place.partition, "region": place.region, "account": place.account}
        return pattern.format(id=self.ref(logical_id), **known)

    def export(self, name: str) -> Json:
        if name not in self._exports:
            raise Unresolved(f"nothing in {self.place.region} exports {name}")
        return self._exports[name]

    def output(self, stack: str, region: str, name: str) -> Json:
        try:
            described = self.aws.at(region).cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        except ClientError as error:
            if _is_absent(error):
                raise Unresolved(f"stack {stack} is not deployed in {region}") from error
            raise
        for output in described.get("Outputs", []):
            if output["OutputKey"] == name:
                return output["OutputValue"]
        raise Unresolved(f"stack {stack} in {region} has no output {name}")

    def zones(self, region: str) -> Sequence[str]:
        described = self.aws.at(region).ec2.describe_availability_zones()["AvailabilityZones"]
        return sorted(zone["ZoneName"] for zone in described)
