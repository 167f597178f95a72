"""Every reader, with AWS's possible answers: no optional member, other owners' resources, several pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from domain.errors import OptimizerError
from optimizer.action import Action
from optimizer.actions import registry
from optimizer.costs.read_costs import read_bill, read_running
from optimizer.decide.policy import Policy
from optimizer.model.resource import Governed
from optimizer.observe.inventory import ownership_of, take_inventory
from optimizer.observe.metrics import Measurements
from optimizer.observe.service_health import ServiceHealth
from optimizer.observe.tenants import tenants_now
from optimizer.ports.aws import Aws
from optimizer.resources.fleet.health_alarms import health_alarms
from tests.actions.foundation import loaded
from tests.actions.made_measurements import Made
from tests.observe.answers import IDENTIFYING, Change, ChangedAnswers, Read, in_pages, recorded, with_foreign, without

pytestmark = pytest.mark.slow
Reader = Callable[[], Any]
# Optional in the shapes of all answers, and yet always there: what identifies, states, and what a thing is for.
ALWAYS = {
    *IDENTIFYING,
    *("Status", "DBInstanceStatus", "TableStatus", "IndexStatus", "StateValue", "StateUpdatedTimestamp"),
    *("Projection", "DBInstanceClass", "BackupRetentionPeriod", "TableArn", "NodeGroupId", "LaunchTemplateData"),
    *("VCpuInfo", "DefaultVCpus", "NetworkInfo", "NetworkCards", "VolumeId", "NetworkInterfaceId"),
    *("VpcSecurityGroupId", "DBParameterGroupName", "TargetTrackingConfiguration"),
}
# Of an index KeySchema is always there, of a table not while it is deleted.
OF_AN_INDEX = "GlobalSecondaryIndexDescription", "KeySchema"
STATES = ("creating", "deleting", "modifying", "failed", "incompatible-parameters")
STATE = ("Status", "DBInstanceStatus", "CacheClusterStatus", "State", "LifecycleState")


@dataclass
class Readers:
    """Readers of the account, by name, through answers that can be changed."""

    answers: ChangedAnswers
    all: Mapping[str, Reader]

    def read(self, change: Change, names: frozenset[str] | None = None) -> dict[str, Any]:
        with self.answers.by(change):
            return {name: _told(reader) for name, reader in self.all.items() if names is None or name in names}

    def calling(self) -> dict[str, frozenset[str]]:
        """The operations that each reader calls."""
        found = {}
        for name, reader in self.all.items():
            with self.answers.by(lambda *_: None):
                reader()
                found[name] = frozenset(self.answers.operations)
        return found


def _told(reader: Reader) -> Any:
    """The reader's result, or the error that it raised for people to read."""
    try:
        return reader()
    except (OptimizerError, ClientError) as error:
        return error


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Readers]:
    with loaded(tmp_path_factory.mktemp("answers")) as foundation, foundation.silent():
        account, regions = foundation.account, foundation.life.regions
        session = account.session(account.production, foundation.aws.region)
        answers = ChangedAnswers.of(session)
        aws = Aws(session, account.production, foundation.aws.region, account.clock)
        yield Readers(answers, dict(_readers(aws, regions)))


def _readers(aws: Aws, regions: tuple[str, ...]) -> Iterator[tuple[str, Reader]]:
    now = aws.clock.now()
    nothing = Made(now, lambda *_: None)
    governed = take_inventory(aws, regions).governed
    yield "inventory", lambda: take_inventory(aws, regions)
    yield "running", lambda: read_running(aws, governed)
    yield "health", lambda: ServiceHealth(aws, Policy()).samples(now - timedelta(hours=1), now)
    yield "tenants", lambda: tenants_now(aws)
    yield "alarms", lambda: health_alarms(aws, "tap-fleet")
    yield "bill", lambda: _without_count(aws)
    for each in governed:
        yield f"owner of {each.arn}", partial(ownership_of, aws, each)
        for action in registry():
            if action.kind is each.kind and action.applies_to(each):
                yield f"{action.id} {each.arn}", partial(_evidence, action, aws.at(each.region), each, nothing)


def _without_count(aws: Aws) -> Any:
    found = read_bill(aws)
    return {name: value for name, value in vars(found).items() if name != "explorer"}


def _evidence(action: Action, aws: Aws, governed: Governed, measured: Measurements) -> Any:
    evidence = action.collect(aws, governed, measured)
    return action.describe(aws, governed), evidence, action.decide(evidence, Policy())


@pytest.fixture(scope="module")
def plain(readers: Readers) -> dict[str, Any]:
    return readers.read(lambda *_: None)


def test_optional_members_that_are_absent_are_no_exception(readers: Readers) -> None:
    reads: set[Read] = set()
    readers.read(recorded(reads))
    calling = readers.calling()
    assert len(reads) > 100, "this would prove nothing"
    failed = []
    for read in sorted(each for each in reads if each[2] not in ALWAYS and each[1:] != OF_AN_INDEX):
        names = frozenset(name for name, called in calling.items() if read[0] in called)
        for name in names:
            try:
                readers.read(without(read), frozenset({name}))
            except Exception as error:  # noqa: BLE001 -- each is told, all at once
                failed.append(f"{read}: {name} raised {error!r}")
    assert not failed, "\n".join(failed)


@pytest.mark.parametrize("state", STATES)
def test_resources_of_others_in_every_state_change_nothing(readers: Readers, plain: dict[str, Any], state: str) -> None:
    assert readers.read(with_foreign(dict.fromkeys(STATE, state))) == plain


@pytest.mark.parametrize("first", [lambda _: 0, lambda count: count // 2], ids=["empty", "half"])
def test_a_second_page_is_read(readers: Readers, plain: dict[str, Any], first: Callable[[int], int]) -> None:
    assert readers.read(in_pages(first)) == plain
