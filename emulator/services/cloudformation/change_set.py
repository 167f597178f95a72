"""What CloudFormation would change: from the deployed template, the new template and, drift-aware, the actual state.

Governed types are described; of the others the actual state is taken to be the deployed one. What no
describe call shows CloudFormation (write-only properties of a resource's schema) is compared with the
previous deployment, as it does.
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
from emulator.services.cloudformation.false_drift import FalseDrift, from_other_stacks
from emulator.services.cloudformation.schemas import GROUP, TEMPLATE, UNREAD, UNSUPPORTED
from emulator.services.cloudformation.stacks import DeployedStack, StackStore
from emulator.services.cloudformation.stand_ins import stand_in_attribute
from optimizer.ports.aws import Aws
from optimizer.reconcile.actual_state import TYPES as COMPARED
from optimizer.reconcile.actual_state import Observed
from optimizer.reconcile.drift import differences

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
        found = [self._kept(id) if id in self.before.resources else self._new(id) for id in new if self._there(id)]
        gone = [id for id in self.before.resources if id not in new or not self._there(id)]
        return [each for each in (*found, *map(self._gone, gone)) if each]

    def actual(self, logical_id: str) -> Mapping[str, Json]:
        """The resource as described, in its template's shape; empty when it is not there or not governed."""
        resource = self.before.resources[logical_id]
        comparable = COMPARED.get(resource.type)
        if comparable is None:
            return {}
        name = self._name(logical_id)
        return (comparable.read(self._observed, name) if name else None) or {}

    def _there(self, logical_id: str) -> bool:
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
        governed = self.drift_aware and type_name in COMPARED
        if governed:
            actual = self.actual(logical_id)
            details += [
                static(name, actual.get(name), declared.get(name), "ACTUAL_STATE")
                for name in sorted(self._wanted.get(logical_id, set()) - unread - caused.keys())
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
        told = self._told(logical_id, "Modify" if details else "SyncWithActual", drift)
        if not details:
            return told
        after = {name: declared.get(name, AFTER_APPLY) for name in declared}
        return {
            **told,
            "Replacement": replacement(type_name, details),
            "Scope": ["Properties"],
            "Details": details,
            "BeforeContext": json.dumps({"Properties": before}, default=str),
            "AfterContext": json.dumps({"Properties": after}, default=str),
        }

    def _false_drift(self, logical_id: str, declared: Mapping[str, Json]) -> list[dict[str, Any]]:
        """What CloudFormation would change although nothing differs (false_drift.py)."""
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
        told: dict[str, Any] = {"LogicalResourceId": logical_id, "ResourceType": body["Type"]}
        name = self._importable(logical_id)
        return {**told, "Action": "Import", "PhysicalResourceId": name} if name else {**told, "Action": "Add"}

    def _importable(self, logical_id: str) -> str | None:
        """The static name under which a new resource exists already; it must be retained, and no other stack's."""
        body = self.stack.template["Resources"][logical_id]
        comparable = COMPARED.get(body["Type"])
        if not self.imports or comparable is None or comparable.name is None:
            return None
        name = body.get("Properties", {}).get(comparable.name)
        if body.get("DeletionPolicy") not in ("Retain", "RetainExceptOnCreate") or not isinstance(name, str):
            return None
        place = self.before.place
        owned = {
            each.physical_id
            for stack in self.account.part(StackStore).of(place.account, place.region)
            for each in stack.resources.values()
            if each.type == body["Type"]
        }
        exists = comparable.read(self._observed, name) is not None
        return name if exists and name not in owned else None

    def _gone(self, logical_id: str) -> dict[str, Any]:
        policy = self.before.template["Resources"][logical_id].get("DeletionPolicy", "Delete")
        told = self._told(logical_id, "Remove", self._drift(logical_id) if self.drift_aware else None)
        before = json.dumps({"Properties": self.before.resources[logical_id].properties}, default=str)
        kept = "Retain" if policy == "RetainExceptOnCreate" else policy
        return {**told, "PolicyAction": kept, "BeforeContext": before}

    def _told(self, logical_id: str, action: str, drift: str | None) -> dict[str, Any]:
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
        if type_name not in COMPARED:
            return "IN_SYNC"
        if not self.actual(logical_id):
            return "DELETED"
        unread = UNREAD.get(type_name, frozenset())
        moved = self._capacity(type_name, self.before.resources[logical_id].properties, self.actual(logical_id))
        return "MODIFIED" if self._deployed.get(logical_id, set()) - unread or moved else "IN_SYNC"

    def _caused(self, logical_id: str) -> Iterator[tuple[str, str]]:
        """Properties whose value is known after the execution only, each with the attribute it takes.

        A launch template's next version number, and every attribute of what is imported or made.
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
        """The desired capacity, which scaling moves, is a property as others to CloudFormation."""
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

    @cached_property
    def _wanted(self) -> Mapping[str, set[str]]:
        """The properties of the new template that the account contradicts, by logical id."""
        return self._compared(self.stack)

    @cached_property
    def _deployed(self) -> Mapping[str, set[str]]:
        """Those of the deployed template."""
        place = self.before.place
        return self._compared(Stack(place.stack, place.account, place.region, "", self.before.template, {}))

    def _compared(self, stack: Stack) -> Mapping[str, set[str]]:
        found: dict[str, set[str]] = {}
        for each in differences([stack], self._aws.at).differences:
            found.setdefault(each.logical_id, set()).add(each.property.split(".")[0].split("[")[0])
        return found

    def _declared(self, logical_id: str) -> dict[str, Json]:
        """The new properties, resolved as far as they are known before the execution."""
        properties = self.stack.template["Resources"][logical_id].get("Properties", {})
        return {name: self._value(value) for name, value in properties.items()}

    def _value(self, value: Json) -> Json:
        try:
            return self._resolver.resolve(value)
        except Unresolved:
            return AFTER_APPLY

    def _name(self, logical_id: str) -> str:
        """The name by which its service knows the resource: for most types the physical id."""
        resource = self.before.resources[logical_id]
        comparable = COMPARED[resource.type]
        return str(resource.properties.get(comparable.name or "", resource.physical_id))

    @cached_property
    def _resolver(self) -> Resolver:
        return Resolver(self.stack.template, self.before.place, _Known(self), {"BootstrapVersion": "30"})

    @cached_property
    def _aws(self) -> Aws:
        place = self.before.place
        session = self.account.session(place.account, place.region)
        return Aws(session, place.account, place.region, self.account.clock)

    @cached_property
    def _observed(self) -> Observed:
        return Observed(self._aws)


@dataclass(frozen=True)
class _Known:
    """What an update's references stand for before it is executed: the `Lookup` of its new template."""

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
            shown = self.update._aws.at(region).ec2.describe_availability_zones()["AvailabilityZones"]  # noqa: SLF001
            self._zones[region] = sorted(zone["ZoneName"] for zone in shown)
        return self._zones[region]
