"""The AWS CLI of CodeBuild's images, as far as scripts of buildspecs use it: one operation, its input as JSON."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    import boto3

SERVICES = {"s3api": "s3"}  # commands whose name differs from boto3's service
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def with_aws_cli(session: boto3.Session, run: Run) -> Run:
    """`subprocess.run`, with the command `aws` calling through this session."""

    def either(command: Sequence[str], **more: Any) -> subprocess.CompletedProcess[str]:
        if command[0] != "aws":
            return run(command, **more)
        _, service, operation, *arguments = command
        request = json.loads(arguments[arguments.index("--cli-input-json") + 1])
        call = getattr(session.client(SERVICES.get(service, service)), operation.replace("-", "_"))  # type: ignore[call-overload]
        try:
            answer = call(**request)
        except ClientError as error:
            return subprocess.CompletedProcess(command, 254, "", str(error))
        if body := answer.pop("Body", None):
            Path(arguments[-1]).write_bytes(body.read())  # the CLI writes it to the file that its last argument names
        return subprocess.CompletedProcess(command, 0, json.dumps(answer, default=str), "")

    return either
