"""Differences between templates and the account, as the emulated account itself reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cloudformation.assembly import Stack
from cloudformation.template import Place
from domain.names import GOVERNED_TAG, GOVERNED_VALUE
from emulator.services.cloudformation.change_set import Update
from emulator.services.cloudformation.resource_state import READABLE, RegionState
from emulator.services.cloudformation.stacks import DeployedStack, StackStore

if TYPE_CHECKING:
    from emulator.core.port import Account

_GROUP = "AWS::AutoScaling::AutoScalingGroup"


@dataclass(frozen=True)
class StateDifference:
    """One declared property whose actual value differs; `name` is the resource's physical name."""

    stack: str
    name: str
    property: str
    declared: Any
    actual: Any

    def __str__(self) -> str:
        return f"{self.stack} {self.name}: {self.property} is {self.actual!r}, the template says {self.declared!r}"


@dataclass
class StateDrift:
    """All differences, the number of compared values, and the properties that no call of the services shows."""

    differences: list[StateDifference] = field(default_factory=list)
    compared: int = 0
    not_compared: set[str] = field(default_factory=set)


def drift(account: Account, stacks: Sequence[Stack]) -> StateDrift:
    """Compare every declared property of the governed types with the account."""
    report, declared = StateDrift(), set[tuple[str, str, str]]()
    for stack in stacks:
        place = Place(stack.account, stack.region, stack.name)
        before = account.part(StackStore).find(place) or _nothing(place)
        update = Update(account, before, stack, drift_aware=True, imports=False)
        for logical_id, body in stack.template.get("Resources", {}).items():
            if body["Type"] in READABLE and update.declares(logical_id):
                name = update.name_of(logical_id)
                declared.add((stack.region, body["Type"], name))
                _compare(report, update, logical_id, name)
    for region in dict.fromkeys((each.account, each.region) for each in stacks):
        report.differences += _undeclared(account, *region, declared)
    return report


def _compare(report: StateDrift, update: Update, logical_id: str, name: str) -> None:
    stack, type_name = update.stack.name, update.stack.template["Resources"][logical_id]["Type"]
    comparison = update.compared(logical_id)
    if comparison is None:
        report.differences.append(StateDifference(stack, name, "(resource)", "exists", "absent"))
        return
    report.compared += comparison.compared
    report.not_compared |= {f"{type_name}.{path.split('[')[0]}" for path in comparison.unread}
    report.differences += [
        StateDifference(stack, name, each.path, each.declared, each.actual) for each in comparison.contradictions
    ]
    if type_name == _GROUP:
        report.differences += _capacity(stack, name, update.actual(logical_id))


def _capacity(stack: str, name: str, group: Mapping[str, Any]) -> Iterator[StateDifference]:
    """The desired capacity, if it is outside the declared limits: between them scaling moves it."""
    low, high, desired = (int(group[each]) for each in ("MinSize", "MaxSize", "DesiredCapacity"))
    if not low <= desired <= high:
        yield StateDifference(stack, name, "DesiredCapacity", f"{low} to {high}", desired)


def _undeclared(
    account: Account, owner: str, region: str, declared: set[tuple[str, str, str]]
) -> Iterator[StateDifference]:
    """Resources with the governed tag that are in no template, such as an instance that the code forgot."""
    state = RegionState(account, Place(owner, region, ""))
    listed = {
        _GROUP: state.groups,
        "AWS::RDS::DBCluster": state.clusters,
        "AWS::RDS::DBInstance": state.instances,
        "AWS::ElastiCache::ReplicationGroup": state.caches,
        "AWS::ElasticLoadBalancingV2::LoadBalancer": state.balancers,
        "AWS::DynamoDB::GlobalTable": dict.fromkeys(state.tables),
    }
    for type_name, names in listed.items():
        for name in names:
            if (region, type_name, name) not in declared and _is_governed(state, type_name, name):
                yield StateDifference("-", name, "(resource)", "absent", f"exists in {region}")


def _is_governed(state: RegionState, type_name: str, name: str) -> bool:
    shown = READABLE[type_name].read(state, name) or {}
    here = [each.get("Tags", []) for each in shown.get("Replicas", []) if each["Region"] == state.place.region]
    tags = [*shown.get("Tags", []), *(tag for each in here for tag in each)]
    return any(each["Key"] == GOVERNED_TAG and each["Value"] == GOVERNED_VALUE for each in tags)


def _nothing(place: Place) -> DeployedStack:
    """A stack that was never deployed."""
    return DeployedStack(place, {"Resources": {}}, {}, {}, {}, {}, datetime.min.replace(tzinfo=UTC))
