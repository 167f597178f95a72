"""The template that a call submits: as a body, by URL, or the deployed one again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError

from emulator.core.errors import AwsError
from emulator.services.cloudformation.stacks import DeployedStack

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account


def new_template(account: Account, call: Call, before: DeployedStack | None = None) -> dict[str, Any]:
    """The submitted template, parsed. Raises AwsError for one that is too long, not JSON, or cannot be read."""
    asked = call.parameters
    if before is not None and asked.get("UsePreviousTemplate"):
        return dict(before.template)
    if "TemplateBody" in asked:
        if len(asked["TemplateBody"].encode()) > 51_200:
            raise AwsError(
                "ValidationError",
                "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
                "Member must have length less than or equal to 51200",
            )
        return _parsed(asked["TemplateBody"])
    url = urlparse(asked.get("TemplateURL", ""))
    bucket, key = (url.hostname or "").partition(".s3.")[0], url.path.lstrip("/")
    try:
        found = account.client("s3", call.account, call.region).get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        raise AwsError("ValidationError", f"S3 error: {error.response['Error']['Message']}") from error
    return _parsed(found["Body"].read().decode())


def _parsed(body: str) -> dict[str, Any]:
    try:
        template: dict[str, Any] = json.loads(body)
    except json.JSONDecodeError as error:
        raise AwsError("ValidationError", f"Template format error: JSON not well-formed. ({error})") from error
    return template


def refuse_incapable(template: Mapping[str, Any], capabilities: list[str]) -> None:
    """Raises AwsError for IAM resources that the caller did not acknowledge."""
    identities = [each for each in template["Resources"].values() if each["Type"].startswith("AWS::IAM::")]
    if identities and "CAPABILITY_NAMED_IAM" not in capabilities:
        raise AwsError("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]")
