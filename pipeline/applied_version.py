"""Lays out the code that applied the plan's phase in `applied`, for a job that watches or undoes it.

It stands inline in the buildspecs of `tap-watch` and `tap-rollback`, so that it is the deployed pipeline's
and not the branch's: a newer commit cannot break it. It needs boto3 and nothing of the project. Where no
plan is under way `applied` is the branch's own code; where nothing sound was kept as well, and it says so.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

BRANCH = Path()
APPLIED = Path("applied")
CARRIED_OUT = ("approved", "stopped")


def main() -> None:
    code = applied_code()
    folder = laid_out(code) if code else BRANCH
    APPLIED.unlink(missing_ok=True)
    APPLIED.symlink_to(folder, target_is_directory=True)


def applied_code() -> Mapping[str, Any] | None:
    """What the journal says of the code that applied last; None when no plan of that code is under way."""
    dynamodb, table = boto3.client("dynamodb"), os.environ["TAP_JOURNAL_TABLE"]

    def item(pk: str, sk: str) -> Mapping[str, Any]:
        found: Any = dynamodb.get_item(TableName=table, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True)
        return {name: value.get("S") for name, value in found.get("Item", {}).items()}

    head, code = item("plan", "current"), item("code", "applied")
    under_way = head.get("state") in CARRIED_OUT and head.get("hash") == code.get("plan")
    return code if under_way else None


def laid_out(code: Mapping[str, Any]) -> Path:
    """The folder with the code, unpacked once its bytes are what the journal's hash says; else the branch's."""
    folder = Path("versions", code["sha256"])
    if folder.is_dir():
        return folder  # an earlier run of the same build
    try:
        found = boto3.client("s3").get_object(Bucket=os.environ["TAP_RECORDS_BUCKET"], Key=code["key"])
        body = found["Body"].read()
    except ClientError as error:
        return branch(code, f"cannot be fetched: {error}")
    if hashlib.sha256(body).hexdigest() != code["sha256"]:
        return branch(code, "is not what its hash says.")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        archive.extractall(folder)
    print(f"Running the code that applied the phase: commit {code['revision']}.")  # noqa: T201 -- the job's log
    return folder


def branch(code: Mapping[str, Any], problem: str) -> Path:
    print(f"The code that applied the phase, commit {code['revision']}, {problem} The branch's runs.")  # noqa: T201
    return BRANCH


if __name__ == "__main__":
    main()
