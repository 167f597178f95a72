"""Puts the code that applied the plan's phase into `applied`, for a job that watches or undoes it.

It is inline in the buildspecs of `tap-watch` and `tap-rollback`, which have no source: neither a newer commit nor
an unreachable source provider or package index stops them. It needs the AWS CLI, which CodeBuild's images have, and
the archive beside the journal, which also holds the packages. Without the archive nothing can be undone here: the job
prints that and fails.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

ARCHIVE, APPLIED = Path("applied.zip"), Path("applied")


def main() -> None:
    code = applied_code()
    folder = Path("versions", code["sha256"])
    if not folder.is_dir():  # otherwise an earlier run of this build created it
        fetch(code)
        with zipfile.ZipFile(ARCHIVE) as archive:
            archive.extractall(folder)
    APPLIED.unlink(missing_ok=True)
    APPLIED.symlink_to(folder, target_is_directory=True)
    print(f"Running the code that applied last: commit {code['revision']}.")  # noqa: T201 -- the job's log


def applied_code() -> dict[str, str]:
    """The journal's record of the code that applied last."""
    key = {"pk": {"S": "code"}, "sk": {"S": "applied"}}
    request = {"TableName": os.environ["TAP_JOURNAL_TABLE"], "Key": key, "ConsistentRead": True}
    answer = aws("dynamodb", "get-item", request)
    if "Item" not in answer:
        sys.exit("No code has applied anything yet: there is nothing to watch or to undo.")
    return {name: value.get("S", "") for name, value in answer["Item"].items()}


def fetch(code: dict[str, str]) -> None:
    """Download the archive; its bytes must match the journal's hash."""
    aws("s3api", "get-object", {"Bucket": os.environ["TAP_RECORDS_BUCKET"], "Key": code["key"]}, str(ARCHIVE))
    if hashlib.sha256(ARCHIVE.read_bytes()).hexdigest() != code["sha256"]:
        sys.exit(f"The code that applied, commit {code['revision']}, is not what its hash says. {BY_HAND}")


def aws(service: str, operation: str, request: dict[str, Any], *more: str) -> Any:
    """Make one call by the AWS CLI; an error ends the job."""
    command = ["aws", service, operation, "--cli-input-json", json.dumps(request), "--output", "json", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[:3])} failed: {done.stderr.strip()} {BY_HAND}")
    return json.loads(done.stdout or "{}")


BY_HAND = "Roll back by hand from a checkout of that commit: docs/runbook.md, The code that applied is gone."

if __name__ == "__main__":
    main()
