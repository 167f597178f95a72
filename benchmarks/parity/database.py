"""Changes of a small Aurora cluster, in the default VPC."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import ClientError

from benchmarks.parity.asking import TAG, Answers, Sandbox, refused

SMALL, OTHER = "db.t4g.medium", "db.t4g.large"
LONGEST = 5_400  # seconds of one change


def ask_database(sandbox: Sandbox) -> Answers:
    with _cluster(sandbox) as (client, name):
        writer, reader = f"{name}-1", f"{name}-2"

        def resize(instance: str) -> str:
            return refused(
                lambda: client.modify_db_instance(
                    DBInstanceIdentifier=instance, DBInstanceClass=OTHER, ApplyImmediately=True
                )
            )

        with_instances = refused(lambda: client.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True))
        first = resize(reader)
        sandbox.until(lambda: _instance(client, reader)["DBInstanceStatus"] != "available", 900)
        meanwhile = resize(reader)
        sandbox.until(lambda: _settled(client, reader), LONGEST)
        client.failover_db_cluster(DBClusterIdentifier=name, TargetDBInstanceIdentifier=reader)
        turned = sandbox.until(lambda: _writer(client, name) == reader, 900)
        sandbox.until(lambda: _settled(client, reader) and _settled(client, writer), LONGEST)
        longer = refused(
            lambda: client.modify_db_cluster(DBClusterIdentifier=name, BackupRetentionPeriod=2, ApplyImmediately=True)
        )
        kept = sandbox.until(lambda: _described(client, name)["BackupRetentionPeriod"] == 2, 900)
        return {
            "deleting a cluster with instances": with_instances,
            "another class of the reader": first,
            "a change meanwhile": meanwhile,
            "the classes afterwards": f"{_class(client, writer)}, {_class(client, reader)}",
            "a failover to the reader within 5 minutes": turned is not None and turned <= 300,
            "another retention": longer,
            "is in force": kept is not None,
        }


@contextmanager
def _cluster(sandbox: Sandbox) -> Iterator[tuple[Any, str]]:
    """A writer and a reader: the client and the cluster's name; the instances are NAME-1 and NAME-2."""
    client, name = sandbox.client("rds"), f"tap-parity-{sandbox.suffix}"
    client.create_db_cluster(
        DBClusterIdentifier=name,
        Engine="aurora-postgresql",
        MasterUsername="parity",
        MasterUserPassword=secrets.token_urlsafe(24),
        BackupRetentionPeriod=1,
        StorageEncrypted=True,
        Tags=[TAG],
    )
    names = (f"{name}-1", f"{name}-2")
    try:
        sandbox.until(lambda: bool(_described(client, name)["Status"] == "available"), LONGEST)
        for each in names:
            client.create_db_instance(
                DBInstanceIdentifier=each,
                DBClusterIdentifier=name,
                DBInstanceClass=SMALL,
                Engine="aurora-postgresql",
                Tags=[TAG],
            )
            sandbox.until(lambda each=each: _settled(client, each), LONGEST)  # type: ignore[misc]
        yield client, name
    finally:
        sandbox.until(lambda: bool(_described(client, name)["Status"] == "available"), LONGEST)
        for each in reversed(names):
            with suppress(ClientError):  # it may never have been made
                client.delete_db_instance(DBInstanceIdentifier=each, SkipFinalSnapshot=True)
        sandbox.until(lambda: not _described(client, name)["DBClusterMembers"], LONGEST)
        client.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)


def _described(client: Any, name: str) -> Any:
    return client.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]


def _instance(client: Any, name: str) -> Any:
    return client.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]


def _class(client: Any, name: str) -> str:
    return str(_instance(client, name)["DBInstanceClass"])


def _settled(client: Any, name: str) -> bool:
    """Available, and nothing of a change is left to be applied."""
    shown = _instance(client, name)
    return bool(shown["DBInstanceStatus"] == "available" and not shown.get("PendingModifiedValues"))


def _writer(client: Any, name: str) -> str:
    members = _described(client, name)["DBClusterMembers"]
    return str(next(each["DBInstanceIdentifier"] for each in members if each["IsClusterWriter"]))
