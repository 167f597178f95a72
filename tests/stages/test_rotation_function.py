"""The rotation function, step by step, against a secret and a cluster that record their calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stages import rotation_function as rotation

OLD, NEW = "version-old", "version-new"


class Secret:
    """Secrets Manager with one secret; the new version exists, and holds nothing yet."""

    class exceptions:  # noqa: N801 - as botocore's clients call it
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self) -> None:
        self.stages = {OLD: ["AWSCURRENT"], NEW: ["AWSPENDING"]}
        self.values = {OLD: {"username": "tap_admin", "password": "the-first-one"}}

    def describe_secret(self, SecretId: str) -> dict[str, Any]:  # noqa: N803
        return {"VersionIdsToStages": {version: list(stages) for version, stages in self.stages.items()}}

    def get_secret_value(self, VersionId: str = "", VersionStage: str = "", **_: str) -> dict[str, str]:  # noqa: N803
        version = VersionId or next(v for v, stages in self.stages.items() if VersionStage in stages)
        if version not in self.values:
            raise self.exceptions.ResourceNotFoundException
        return {"SecretString": json.dumps(self.values[version])}

    def put_secret_value(self, ClientRequestToken: str, SecretString: str, **_: Any) -> None:  # noqa: N803
        self.values[ClientRequestToken] = json.loads(SecretString)

    def update_secret_version_stage(self, MoveToVersionId: str, RemoveFromVersionId: str, **_: str) -> None:  # noqa: N803
        self.stages[RemoveFromVersionId].remove("AWSCURRENT")
        self.stages[MoveToVersionId].append("AWSCURRENT")


class Cluster:
    """Aurora with one cluster, which takes a new password two looks later."""

    def __init__(self) -> None:
        self.password, self.looks = "the-first-one", 2

    def modify_db_cluster(self, MasterUserPassword: str, **_: Any) -> None:  # noqa: N803
        self.password, self.looks = MasterUserPassword, 2

    def describe_db_clusters(self, **_: str) -> dict[str, Any]:
        self.looks -= 1
        pending = {"MasterUserPassword": "****"} if self.looks >= 0 else {}
        return {"DBClusters": [{"Status": "available", "PendingModifiedValues": pending}]}


@pytest.fixture
def secret() -> Secret:
    return Secret()


@pytest.fixture
def cluster(secret: Secret, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    cluster = Cluster()
    monkeypatch.setenv("CLUSTER", "tap-database")
    monkeypatch.setattr(rotation.boto3, "client", {"secretsmanager": secret, "rds": cluster}.__getitem__)
    monkeypatch.setattr(rotation.time, "sleep", lambda _: None)
    return cluster


def step(name: str, token: str = NEW) -> None:
    rotation.handler({"Step": name, "SecretId": "tap-database", "ClientRequestToken": token}, None)


def test_aurora_has_the_new_password_before_it_becomes_current(secret: Secret, cluster: Cluster) -> None:
    step("createSecret")
    made = secret.values[NEW]
    assert made["username"] == "tap_admin"
    assert made["password"] != "the-first-one"
    step("setSecret")
    assert cluster.password == made["password"]
    step("testSecret")
    assert cluster.looks < 0, "it waited until nothing was pending"
    assert "AWSCURRENT" not in secret.stages[NEW]
    step("finishSecret")
    assert secret.stages == {OLD: [], NEW: ["AWSPENDING", "AWSCURRENT"]}


def test_a_step_called_again_makes_no_second_password(secret: Secret, cluster: Cluster) -> None:
    step("createSecret")
    made = dict(secret.values[NEW])
    step("createSecret")
    assert secret.values[NEW] == made


def test_a_finished_rotation_is_left_alone(secret: Secret, cluster: Cluster) -> None:
    step("setSecret", token=OLD)
    assert cluster.password == "the-first-one"


def test_a_password_that_aurora_does_not_take_fails_the_step(secret: Secret, cluster: Cluster) -> None:
    cluster.looks = 1_000
    with pytest.raises(TimeoutError, match="tries again"):
        step("testSecret")


def test_a_version_of_another_secret_is_refused(cluster: Cluster) -> None:
    with pytest.raises(ValueError, match="is not of this secret"):
        step("createSecret", token="version-foreign")
