"""The rotation function, inline in the template: Secrets Manager calls it once for each step."""

from __future__ import annotations

import json
import os
import time
from secrets import token_hex
from typing import Any

import boto3


def handler(event: dict[str, Any], _context: object) -> None:
    """Run one step of a rotation; each may be repeated."""
    secrets, secret, token = boto3.client("secretsmanager"), event["SecretId"], event["ClientRequestToken"]
    stages = secrets.describe_secret(SecretId=secret)["VersionIdsToStages"].get(token)
    if stages is None:
        raise ValueError(f"version {token} is not of this secret")
    if "AWSCURRENT" in stages:
        return
    steps = {"createSecret": create, "setSecret": set_password, "testSecret": wait, "finishSecret": finish}
    steps[event["Step"]](secrets, secret, token)


def create(secrets: Any, secret: str, token: str) -> None:
    """Store a new password beside the current one, unless an earlier try did."""
    try:
        secrets.get_secret_value(SecretId=secret, VersionId=token, VersionStage="AWSPENDING")
    except secrets.exceptions.ResourceNotFoundException:
        value = json.loads(secrets.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")["SecretString"])
        value["password"] = token_hex(20)
        secrets.put_secret_value(
            SecretId=secret, ClientRequestToken=token, SecretString=json.dumps(value), VersionStages=["AWSPENDING"]
        )


def set_password(secrets: Any, secret: str, token: str) -> None:
    """Set the new password on Aurora."""
    value = json.loads(secrets.get_secret_value(SecretId=secret, VersionId=token)["SecretString"])
    boto3.client("rds").modify_db_cluster(
        DBClusterIdentifier=os.environ["CLUSTER"], MasterUserPassword=value["password"], ApplyImmediately=True
    )


def wait(_secrets: Any, _secret: str, _token: str) -> None:
    """Wait until Aurora has applied it: no change of the password is pending any more."""
    rds = boto3.client("rds")
    for _ in range(25):
        time.sleep(10)  # the status is still `available` right after the call
        cluster = rds.describe_db_clusters(DBClusterIdentifier=os.environ["CLUSTER"])["DBClusters"][0]
        pending = cluster.get("PendingModifiedValues", {}).get("MasterUserPassword")
        if cluster["Status"] == "available" and not pending:
            return
    raise TimeoutError("Aurora has not taken the new password; Secrets Manager tries again")


def finish(secrets: Any, secret: str, token: str) -> None:
    """Make the new password the current one."""
    versions = secrets.describe_secret(SecretId=secret)["VersionIdsToStages"]
    current = next(version for version, stages in versions.items() if "AWSCURRENT" in stages)
    secrets.update_secret_version_stage(
        SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
    )
