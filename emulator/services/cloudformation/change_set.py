"""CloudFormation's proposed changes: from the deployed template, the new template and, drift-aware, the actual state.

Describe calls show the actual state of governed types; the others are taken to be as deployed. Properties that
no describe call shows CloudFormation (write-only properties of a resource's schema) are compared with the
previous deployment, as CloudFormation does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cloudformation.assembly import Stack
from cloudformation.template import Json, Place, Resolver, Unresolved
from emulator.core.resource_type import Declared
from emulator.services.cloudformation.change_details import AFTER_APPLY, attributes, dynamic, replacement, static
from emulator.services.cloudformation.comparison import UNKNOWN, StateComparison, compare
from emulator.services.cloudformation.false_drift import FalseDrift, from_other_stacks
from emulator.services.cloudformation.resource_state import READABLE, RegionState
from emulator.services.cloudformation.schemas import GROUP, TEMPLATE, UNREAD, UNSUPPORTED
from emulator.services.cloudformation.stacks import DeployedStack, StackStore
from emulator.services.cloudformation.stand_ins import stand_in_attribute

if TYPE_CHECKING:
    from emulator.core.port import Account


@dataclass(frozen=True)
class Update:
    """One proposed update of a deployed stack."""

    account: Account
    before: DeployedStack
    stack: Stack
    drift_aware: bool
    imports: bool

    def changes(self) -> list[dict[str, Any]]:
        """The ResourceChange structures, in the order of the new template, removals last."""
        new = self.stack.template["Resources"]
        found = [self._kept(id) if id in self.before.resources else self._new(id) for id in new if self.declares(id)]
        gone = [id for id in self.before.resources if id not in new or not self.declares(id)]
        return [each for each in (*found, *map(self._gone, gone)) if each]

    def actual(self, logical_id: str) -> Mapping[str, Json]:
        """The resource's actual state, in its template's shape; empty if it is absent or not governed."""
        readable, name = READABLE.get(self.type_of(logical_id)), self.name_of(logical_id)
        return (readable.read(self._state, name) if readable and name else None) or {}

    def type_of(self, logical_id: str) -> str:
        """The resource's CloudFormation type: the deployed one, for a new resource the new one."""
        deployed = self.before.resources.get(logical_id)
        return deployed.type if deployed else str(self.stack.template["Resources"][logical_id]["Type"])

    def compared(self, logical_id: str) -> StateComparison | None:
        """Comparison of the new template with a governed resource's state; None when the resource is absent."""
        actual = self.actual(logical_id)
        if not actual:
            return None
        properties = self.stack.template["Resources"][logical_id].get("Properties", {})
        declared = {name: self._known(value) for name, value in properties.items() if name != "DesiredCapacity"}
        return self._held_against(logical_id, declared, actual)

    def declares(self, logical_id: str) -> bool:
        """Whether the new template makes the resource: its condition holds, if it has one."""
        body = self.stack.template["Resources"][logical_id]
        return "Condition" not in body or self._resolver.condition(body["Condition"])

    def _kept(self, logical_id: str) -> dict[str, Any]:
        type_name = self.before.resources[logical_id].type
        declared, before = self._declared(logical_id), self.before.resources[logical_id].properties
        changed = {name for name in {*declared, *before} if declared.get(name) != before.get(name)}
        caused = dict(self._caused(logical_id))
        details = [dynamic(name, cause) for name, cause in caused.items()]
        changed -= caused.keys()
        unread = UNREAD.get(type_name, frozenset()) if self.drift_aware else frozenset(changed)
        governed = self.drift_aware and type_name in READABLE
        if governed:
            actual = self.actual(logical_id)
            details += [
                static(name, actual.get(name), declared.get(name), "ACTUAL_STATE")
                for name in sorted(self._wanted(logical_id) - unread - caused.keys())
            ]
            details += self._capacity(type_name, declared, actual)
        else:
            unread = frozenset(changed)
        source = "PREVIOUS_DEPLOYMENT_STATE" if governed else "ACTUAL_STATE"
        details += [static(name, before.get(name), declared.get(name), source) for name in sorted(changed & unread)]
        details += self._false_drift(logical_id, declared) if self.drift_aware else []
        drift = self._drift(logical_id) if self.drift_aware else None
        if not details and not changed and drift in (None, "IN_SYNC", "UNSUPPORTED"):
            return {}
        change = self._resource_change(logical_id, "Modify" if details else "SyncWithActual", drift)
        if not details:
            return change
        after = {name: declared.get(name, AFTER_APPLY) for name in declared}
        return {
            **change,
            "Replacement": replacement(type_name, details),
            "Scope": ["Properties"],
            "Details": details,
            "BeforeContext": json.dumps({"Properties": before}, default=str),
            "AfterContext": json.dumps({"Properties": after}, default=str),
        }

    def _false_drift(self, logical_id: str, declared: Mapping[str, Json]) -> list[dict[str, Any]]:
        """False drift: changes that CloudFormation would make although nothing differs (false_drift.py)."""
        body = self.stack.template["Resources"][logical_id]
        unknown = from_other_stacks(body.get("Properties", {}))
        switched = self.account.part(FalseDrift).properties(self.before.place.stack, body["Type"]) & declared.keys()
        known = self.before.resources[logical_id].properties
        return [
            *(static(name, known.get(name), AFTER_APPLY, "ACTUAL_STATE") for name in sorted(unknown)),
            *(static(name, None, declared[name], "ACTUAL_STATE") for name in sorted(switched - unknown)),
        ]

    def _new(self, logical_id: str) -> dict[str, Any]:
        body = self.stack.template["Resources"][logical_id]
        change: dict[str, Any] = {"LogicalResourceId": logical_id, "ResourceType": body["Type"]}
        name = self._importable(logical_id)
        return {**change, "Action": "Import", "PhysicalResourceId": name} if name else {**change, "Action": "Add"}

    def _importable(self, logical_id: str) -> str | None:
        """The static name of a new resource that exists already; it must be retained, and no other stack's."""
        body = self.stack.template["Resources"][logical_id]
        readable = READABLE.get(body["Type"])
        if not self.imports or readable is None or readable.name is None:
            return None
        name = body.get("Properties", {}).get(readable.name)
        if body.get("DeletionPolicy") not in ("Retain", "RetainExceptOnCreate") or not isinstance(name, str):
            return None
        place = self.before.place
        owned = {
            each.physical_id
            for stack in self.account.part(StackStore).of(place.account, place.region)
            for each in stack.resources.values()
            if each.type == body["Type"]
        }
        exists = readable.read(self._state, name) is not None
        return name if exists and name not in owned else None

    def _gone(self, logical_id: str) -> dict[str, Any]:
        policy = self.before.template["Resources"][logical_id].get("DeletionPolicy", "Delete")
        change = self._resource_change(logical_id, "Remove", self._drift(logical_id) if self.drift_aware else None)
        before = json.dumps({"Properties": self.before.resources[logical_id].properties}, default=str)
        kept = "Retain" if policy == "RetainExceptOnCreate" else policy
        return {**change, "PolicyAction": kept, "BeforeContext": before}

    def _resource_change(self, logical_id: str, action: str, drift: str | None) -> dict[str, Any]:
        resource = self.before.resources[logical_id]
        return {
            "Action": action,
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": resource.physical_id,
            "ResourceType": resource.type,
            **({"ResourceDriftStatus": drift} if drift else {}),
        }

    def _drift(self, logical_id: str) -> str:
        type_name = self.before.resources[logical_id].type
        if type_name in UNSUPPORTED:
            return "UNSUPPORTED"
        if type_name not in READABLE:
            return "IN_SYNC"
        actual = self.actual(logical_id)
        if not actual:
            return "DELETED"
        unread = UNREAD.get(type_name, frozenset())
        scaled = self._capacity(type_name, self.before.resources[logical_id].properties, actual)
        return "MODIFIED" if self._moved(logical_id, actual) - unread or scaled else "IN_SYNC"

    def _caused(self, logical_id: str) -> Iterator[tuple[str, str]]:
        """Properties whose value is known only after the execution, each with the attribute that it takes.

        These are a launch template's next version number, and every attribute of an imported or created resource.
        """
        properties = self.stack.template["Resources"][logical_id].get("Properties", {})
        for name, value in properties.items():
            for source, attribute in sorted(attributes(value)):
                version = source in self._new_versions and attribute == "LatestVersionNumber"
                if version or source not in self.before.resources:
                    yield name, f"{source}.{attribute}"
                    break

    def _capacity(
        self, type_name: str, declared: Mapping[str, Json], actual: Mapping[str, Json]
    ) -> list[dict[str, Any]]:
        """The change of the desired capacity: scaling moves it, but CloudFormation treats it like every property."""
        if type_name != GROUP or "DesiredCapacity" not in declared or not actual:
            return []
        wanted, there = str(declared["DesiredCapacity"]), str(actual["DesiredCapacity"])
        return [static("DesiredCapacity", there, wanted, "ACTUAL_STATE")] if wanted != there else []

    @cached_property
    def _new_versions(self) -> frozenset[str]:
        """The launch templates whose data changes."""
        return frozenset(
            logical_id
            for logical_id, each in self.before.resources.items()
            if each.type == TEMPLATE
            and logical_id in self.stack.template["Resources"]
            and self._declared(logical_id).get("LaunchTemplateData") != each.properties.get("LaunchTemplateData")
        )

    def _wanted(self, logical_id: str) -> set[str]:
        """The properties of the new template that differ from the account."""
        comparison = self.compared(logical_id)
        return {"(resource)"} if comparison is None else {each.top for each in comparison.contradictions}

    def _moved(self, logical_id: str, actual: Mapping[str, Json]) -> set[str]:
        """The properties of the deployed template that differ from the account."""
        deployed = self.before.resources[logical_id].properties
        declared = {name: value for name, value in deployed.items() if name != "DesiredCapacity"}
        return {each.top for each in self._held_against(logical_id, declared, actual).contradictions}

    def _held_against(
        self, logical_id: str, declared: Mapping[str, Json], actual: Mapping[str, Json]
    ) -> StateComparison:
        readable = READABLE[self.type_of(logical_id)]
        return compare({**readable.absent, **declared}, actual, readable.whole)

    def _known(self, value: Json) -> Json:
        """The value, with UNKNOWN in every place that is not known before the execution."""
        try:
            return self._resolver.resolve(value)
        except Unresolved:
            if isinstance(value, Mapping) and not (len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))):
                return {name: self._known(each) for name, each in value.items()}
            return [self._known(each) for each in value] if isinstance(value, list) else UNKNOWN

    def _declared(self, logical_id: str) -> dict[str, Json]:
        """The new properties, resolved as far as they are known before the execution."""
        properties = self.stack.template["Resources"][logical_id].get("Properties", {})
        return {name: self._value(value) for name, value in properties.items()}

    def _value(self, value: Json) -> Json:
        try:
            return self._resolver.resolve(value)
        except Unresolved:
            return AFTER_APPLY

    def name_of(self, logical_id: str) -> str:
        """The name by which its service knows the resource; empty for a new one without a name in the template."""
        fixed = READABLE[self.type_of(logical_id)].name if self.type_of(logical_id) in READABLE else None
        resource = self.before.resources.get(logical_id)
        if resource is not None:
            return str(resource.properties.get(fixed or "", resource.physical_id))
        properties = self.stack.template["Resources"][logical_id].get("Properties", {})
        name = self._known(properties.get(fixed)) if fixed else None
        return name if isinstance(name, str) else ""

    @cached_property
    def _resolver(self) -> Resolver:
        return Resolver(self.stack.template, self.before.place, _Known(self), {"BootstrapVersion": "30"})

    @cached_property
    def _state(self) -> RegionState:
        return RegionState(self.account, self.before.place)


@dataclass(frozen=True)
class _Known:
    """Values of an update's references before it is executed: the `Lookup` of its new template."""

    update: Update
    _zones: dict[str, Sequence[str]] = field(default_factory=dict)

    def ref(self, logical_id: str) -> Json:
        known = self.update.before.resources.get(logical_id)
        if known is not None:
            return known.physical_id
        if name := self.update._importable(logical_id):  # noqa: SLF001 -- one thing in two classes
            return name
        raise Unresolved(f"{logical_id} does not exist yet")

    def attribute(self, logical_id: str, name: str) -> Json:
        known = self.update.before.resources.get(logical_id)
        if known is None:
            raise Unresolved(f"{logical_id} does not exist yet")
        if known.loaded and name in known.attributes:
            return known.attributes[name]
        declared = Declared(logical_id, known.type, known.properties, {}, self.update.before.place)
        return stand_in_attribute(declared, known.physical_id, name)

    def export(self, name: str) -> Json:
        place = self.update.before.place
        return self.update.account.part(StackStore).export(place.account, place.region, name)

    def output(self, stack: str, region: str, name: str) -> Json:
        place = Place(self.update.before.place.account, region, stack)
        return self.update.account.part(StackStore).output(place, name)

    def zones(self, region: str) -> Sequence[str]:
        if region not in self._zones:
            ec2 = self.update.account.client("ec2", self.update.before.place.account, region)
            shown = ec2.describe_availability_zones()["AvailabilityZones"]
            self._zones[region] = sorted(zone["ZoneName"] for zone in shown)
        return self._zones[region]
