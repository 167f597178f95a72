"""An Aurora instance that is made again in a cluster that has another version by then."""

from __future__ import annotations

from typing import Any

import pytest

from optimizer.model.resource import Governed
from optimizer.ports.aws import Aws
from optimizer.resources.database import cluster as aurora
from optimizer.resources.database.instance import InstanceState
from tests.actions import conftest as small_account

account, aws, database = small_account.account, small_account.aws, small_account.database


@pytest.mark.parametrize(
    "noted", [{}, {"EngineVersion": "12.4", "DBParameterGroupName": "default.aurora-postgresql12"}]
)
def test_it_is_made_again_with_the_version_of_its_cluster(aws: Aws, database: Governed, noted: dict[str, str]) -> None:
    """The cluster got a mandatory patch in the window. A plan of before may have noted the version of its day."""
    aws.rds.create_db_instance(
        DBInstanceIdentifier="tap-database-1",
        DBClusterIdentifier=database.name,
        DBInstanceClass="db.r6g.xlarge",
        Engine="aurora-postgresql",
        PromotionTier=1,
    )
    aws.clock.sleep(7200)
    reader = InstanceState(database.name, "tap-database-1")
    shown = aurora.instance(aws, reader.id)
    assert shown is not None
    was = {**aurora.as_created(shown), **noted}
    reader.delete(aws, "db.r6g.xlarge")
    aws.clock.sleep(3600)
    aws.rds.modify_db_cluster(DBClusterIdentifier=database.name, EngineVersion="16.6", ApplyImmediately=True)
    aws.clock.sleep(7200)
    asked: list[Any] = []
    aws.rds.meta.events.register(
        "provide-client-params.rds.CreateDBInstance", lambda params, **_: asked.append(params.get("EngineVersion"))
    )
    reader.create(aws, was, "db.r6g.xlarge", 1)
    aws.clock.sleep(7200)
    assert asked == [None]
    assert reader.is_back(aws, was, "db.r6g.xlarge", 1)
