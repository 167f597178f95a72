"""Resources that moves touch besides the parts of their own: read again right before each call, gone or not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.names import GOVERNED_TAG, GOVERNED_VALUE
from emulator.account import EmulatedAccount
from emulator.services.ec2.capacity_reservations import Reservations
from optimizer.model.resource import Answer, Governed, Kind
from optimizer.observe.inventory import ownership_of, tenants_of
from optimizer.ports.aws import Aws
from optimizer.resources.database.secondary import SecondaryCluster
from optimizer.resources.database.secondary_moves import make_headless, remove
from optimizer.resources.fleet.capacity_reservation import CapacityReservation
from optimizer.resources.fleet.moves import release_way_back

PRODUCTION, HERE, THERE = "222222222222", "us-east-1", "us-west-2"
GOVERNED = [{"Key": GOVERNED_TAG, "Value": GOVERNED_VALUE}]
TENANT: Any = [{"Key": "TenantId", "Value": "acme"}]
SECONDARY = f"arn:aws:rds:{THERE}:{PRODUCTION}:cluster:there"
GLOBAL = Governed(Kind.GLOBAL_DATABASE, "tap-global", f"arn:aws:rds::{PRODUCTION}:global-cluster:tap-global", HERE, {})


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    start = datetime(2027, 3, 1, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production=PRODUCTION) as made:
        yield made


@pytest.fixture
def aws(account: EmulatedAccount) -> Aws:
    return Aws(account.session(PRODUCTION, HERE), PRODUCTION, HERE, account.clock)


@pytest.fixture
def secondary(aws: Aws) -> SecondaryCluster:
    """A global database with a secondary that has no instance."""
    aws.rds.create_global_cluster(GlobalClusterIdentifier="tap-global", Engine="aurora-postgresql", Tags=GOVERNED)
    for region, name in ((HERE, "here"), (THERE, "there")):
        aws.at(region).rds.create_db_cluster(
            DBClusterIdentifier=name,
            Engine="aurora-postgresql",
            MasterUsername="tap",
            MasterUserPassword="rehearsal-password",
            GlobalClusterIdentifier="tap-global",
        )
    return SecondaryCluster("tap-global", SECONDARY)


@pytest.mark.parametrize("name", ["unprotect there", "delete there"])
def test_a_secondary_is_asked_for_its_owner_when_it_is_no_member_any_more(
    aws: Aws, secondary: SecondaryCluster, name: str
) -> None:
    (move,) = (each for each in remove(secondary, "the-end") if each.name == name)
    secondary.detach(aws)
    aws.clock.sleep(3600)
    assert secondary.is_detached(aws)
    aws.at(THERE).rds.add_tags_to_resource(ResourceName=SECONDARY, Tags=TENANT)
    assert move.touches is not None
    found = ownership_of(aws, GLOBAL, move.touches(aws))
    assert (found.answer, "there is owned by a tenant" in found.reason) == (Answer.TENANT, True)


def test_a_secondary_that_is_gone_is_nobodys(aws: Aws, secondary: SecondaryCluster) -> None:
    gone = SecondaryCluster("tap-global", f"{SECONDARY}-of-yesterday")
    assert tenants_of(aws, GLOBAL, gone.touched(aws)).answer is Answer.OURS


def test_no_instance_is_made_again_in_a_cluster_that_became_a_tenants(aws: Aws, secondary: SecondaryCluster) -> None:
    move = make_headless(SECONDARY, "there-1", {"created": {}, "class": "db.r6g.large", "tier": 1})
    assert move.touches is not None
    assert tenants_of(aws, GLOBAL, move.touches(aws)).answer is Answer.OURS
    aws.at(THERE).rds.add_tags_to_resource(ResourceName=SECONDARY, Tags=TENANT)
    assert tenants_of(aws, GLOBAL, move.touches(aws)).answer is Answer.TENANT


def test_a_reservation_that_became_a_tenants_is_not_released(account: EmulatedAccount, aws: Aws) -> None:
    held = {f"{HERE}a": 3}
    CapacityReservation("m5.4xlarge", held, "this plan").hold(aws)
    ((reservation,),) = account.part(Reservations).by_place.values()
    reservation["Tags"] += TENANT
    move = release_way_back("m5.4xlarge", held, "this plan")
    assert move.touches is not None
    assert tenants_of(aws, GLOBAL, move.touches(aws)).answer is Answer.TENANT
