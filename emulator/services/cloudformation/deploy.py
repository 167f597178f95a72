"""Deployment of one stack: create new resources, update changed ones, refuse changes that the loader cannot make.

Like CloudFormation, it compares the new template with the previous one, never with the account: manual
changes stay until the template touches the property.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudformation.assembly import Stack
from cloudformation.template import Json, Place, Resolver, Unresolved, references, same_template
from emulator.core.port import Account
from emulator.core.resource_type import Created, Declared, LoadRefused, Properties, ResourceType, Site
from emulator.services.cloudformation.resource_types import TYPES
from emulator.services.cloudformation.stacks import Bootstrapped, DeployedResource, DeployedStack, StackStore
from emulator.services.cloudformation.stand_ins import stand_in, stand_in_attribute


@dataclass(frozen=True)
class Deployment:
    """The result of a deployment: logical ids created, updated and deleted, and the number left out of each type."""

    created: tuple[str, ...]
    updated: tuple[str, ...]
    left_out: Mapping[str, int]
    deleted: tuple[str, ...] = ()


@dataclass
class _Session:
    """A deployment under way: the `Lookup` of its own template. `before` is the stack before it."""

    site: Site
    stack: Stack
    store: StackStore
    before: DeployedStack | None
    planned: Mapping[str, Planned] = field(default_factory=dict)
    done: dict[str, DeployedResource] = field(default_factory=dict)

    def ref(self, logical_id: str) -> Json:
        return self._resource(logical_id).physical_id

    def attribute(self, logical_id: str, name: str) -> Json:
        resource = self._resource(logical_id)
        if resource.loaded:
            if name not in resource.attributes:
                raise Unresolved(f"{resource.type} {logical_id} has no attribute {name} here")
            return resource.attributes[name]
        declared = Declared(logical_id, resource.type, resource.properties, {}, self.site.place)
        return stand_in_attribute(declared, resource.physical_id, name)

    def export(self, name: str) -> Json:
        return self.store.export(self.site.place.account, self.site.place.region, name)

    def output(self, stack: str, region: str, name: str) -> Json:
        return self.store.output(Place(self.site.place.account, region, stack), name)

    def zones(self, region: str) -> Sequence[str]:
        shown = self.site.client("ec2", region).describe_availability_zones()["AvailabilityZones"]
        return [zone["ZoneName"] for zone in shown]

    def _resource(self, logical_id: str) -> DeployedResource:
        if logical_id not in self.done:
            raise Unresolved(f"{logical_id} is not in the template, or depends on what refers to it")
        return self.done[logical_id]


@dataclass(frozen=True)
class Planned:
    """A drift-aware change set's treatment of one resource: the action, and the actual values that it would change."""

    action: str
    actual: Properties = field(default_factory=dict)


def deploy(account: Account, stack: Stack, planned: Mapping[str, Planned] | None = None) -> Deployment:
    """Bring one synthesized stack into the emulated account and keep its template.

    `planned`, by logical id, comes from a drift-aware change set; without it templates alone are
    compared. A stack in which nothing changes keeps its template, Metadata included, as in CloudFormation.
    Raises LoadRefused for a change for which the loader has no call, before anything is changed,
    and for a reference that cannot be resolved; AWS's own errors pass unchanged.
    """
    place = Place(stack.account, stack.region, stack.name)
    store = account.part(StackStore)
    session = _Session(Site(account, place), stack, store, store.find(place), planned or {})
    _bootstrap(session.site, stack)
    _refuse_the_impossible(session)
    resolver = Resolver(stack.template, place, session, _ssm_parameters(stack))
    outcomes = {logical_id: _bring(session, resolver, logical_id) for logical_id in _creation_order(stack.template)}
    deleted = _delete_the_undeclared(session)
    changed = bool(deleted) or set(outcomes.values()) != {"unchanged"}
    if session.before is None or changed or not same_template(session.before.template, stack.template):
        store.record(_deployed(session, resolver))
    left_out = Counter(each.type for each in session.done.values() if not each.loaded)
    return Deployment(
        created=tuple(name for name, outcome in outcomes.items() if outcome == "created"),
        updated=tuple(name for name, outcome in outcomes.items() if outcome == "updated"),
        deleted=deleted,
        left_out=dict(sorted(left_out.items())),
    )


def _bring(session: _Session, resolver: Resolver, logical_id: str) -> str:
    """Create or update one resource; returns "created", "updated" or "unchanged"."""
    body = resolver.template["Resources"][logical_id]
    if "Condition" in body and not resolver.condition(body["Condition"]):
        return "unchanged"
    place = session.site.place
    try:
        properties = resolver.resolve(body.get("Properties", {}))
    except Unresolved as missing:
        raise LoadRefused(f"{place.stack}/{logical_id} ({body['Type']}): {missing}") from missing
    declared = Declared(logical_id, body["Type"], properties, session.stack.tags, place, body.get("UpdatePolicy", {}))
    before = session.before.resources.get(logical_id) if session.before else None
    made, outcome = _made(session.site, declared, before, session.planned.get(logical_id))
    session.done[logical_id] = DeployedResource(
        logical_id=logical_id,
        type=declared.type,
        physical_id=made.id,
        attributes=made.attributes,
        properties=properties,
        loaded=declared.type in TYPES,
        since=before.since if before and outcome == "unchanged" else session.site.account.clock.now(),
    )
    return outcome


def _made(
    site: Site, declared: Declared, before: DeployedResource | None, planned: Planned | None
) -> tuple[Created, str]:
    known = TYPES.get(declared.type)
    if known is None:
        changed = before is not None and bool(declared.changed_since(before.properties))
        return stand_in(declared), "updated" if changed else "unchanged"
    if before is None:
        if planned is not None and planned.action == "Import":
            return _adopted(site, declared, known), "imported"
        return known.create(site, declared), "created"
    made = Created(before.physical_id, before.attributes)
    if planned is not None and planned.action == "SyncWithActual":
        return made, "synced"
    deployed = {**before.properties, **(planned.actual if planned else {})}
    changed_names = declared.changed_since(deployed)
    if not changed_names:
        return made, "unchanged"
    _refuse_change(declared.place, declared.logical_id, declared.type, changed_names)
    assert known.update is not None
    return known.update(site, declared, made, deployed), "updated"


def _adopted(site: Site, declared: Declared, known: ResourceType) -> Created:
    if known.adopt is None:
        raise LoadRefused(
            f"{declared.place.stack}/{declared.logical_id} ({declared.type}): nobody rehearsed its import."
        )
    return known.adopt(site, declared)


def _bootstrap(site: Site, stack: Stack) -> None:
    """Create the template bucket of `cdk bootstrap`, before the first deployment."""
    if stack.staging and stack.staging not in site.account.part(Bootstrapped).buckets:
        place = {} if stack.region == "us-east-1" else {"LocationConstraint": stack.region}
        extra = {"CreateBucketConfiguration": place} if place else {}
        site.client("s3").create_bucket(Bucket=stack.staging, **extra)
        site.account.part(Bootstrapped).buckets.add(stack.staging)


def _refuse_the_impossible(session: _Session) -> None:
    """Refuse changes that the loader cannot make, judged by the templates alone, before anything is changed."""
    if session.before is None:
        return
    place, new = session.site.place, session.stack.template["Resources"]
    for logical_id, old in session.before.template["Resources"].items():
        if old["Type"] not in TYPES:
            continue
        if logical_id not in new:
            if not _is_retained(old) and TYPES[old["Type"]].delete is None:
                raise LoadRefused(
                    f"{place.stack}/{logical_id} ({old['Type']}) is gone from the template without DeletionPolicy "
                    "Retain: deleting it is not rehearsed."
                )
            continue
        if new[logical_id]["Type"] != old["Type"]:
            raise LoadRefused(f"{place.stack}/{logical_id}: a resource cannot change its type.")
        if (planned := session.planned.get(logical_id)) is not None and planned.action == "SyncWithActual":
            continue
        _refuse_change(place, logical_id, old["Type"], _changed(old, new[logical_id]))


def _delete_the_undeclared(session: _Session) -> tuple[str, ...]:
    """Delete resources that the old template had and did not retain: last, as CloudFormation does."""
    if session.before is None:
        return ()
    template = session.before.template
    gone = []
    for logical_id in reversed(_creation_order(template)):
        known, old = TYPES.get(template["Resources"][logical_id]["Type"]), session.before.resources.get(logical_id)
        if (
            logical_id in session.done
            or old is None
            or known is None
            or _is_retained(template["Resources"][logical_id])
        ):
            continue
        assert known.delete is not None, "refused before anything was changed"
        known.delete(session.site, old.physical_id)
        gone.append(logical_id)
    return tuple(gone)


def _is_retained(body: Mapping[str, Any]) -> bool:
    return body.get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate")


def _refuse_change(place: Place, logical_id: str, type_name: str, changed: frozenset[str]) -> None:
    if refused := TYPES[type_name].cannot_change(changed):
        raise LoadRefused(
            f"{place.stack}/{logical_id} ({type_name}): another {', '.join(sorted(refused))} is beyond the rehearsal. "
            "Start it anew, or leave the property as it is."
        )


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> frozenset[str]:
    before: Properties = old.get("Properties", {})
    after: Properties = new.get("Properties", {})
    return frozenset(name for name in {*before, *after} if before.get(name) != after.get(name))


def _creation_order(template: Mapping[str, Any]) -> list[str]:
    """Logical ids, each after its references and dependencies; else in the template's order."""
    resources = template["Resources"]
    ordered: dict[str, None] = {}
    waiting: set[str] = set()

    def visit(logical_id: str) -> None:
        if logical_id in ordered or logical_id not in resources:
            return
        if logical_id in waiting:
            raise LoadRefused(f"{logical_id} depends on itself")
        waiting.add(logical_id)
        body = resources[logical_id]
        depends = body.get("DependsOn", [])
        needed = references(body.get("Properties", {})) | {*([depends] if isinstance(depends, str) else depends)}
        for each in sorted(needed):
            visit(each)
        ordered[logical_id] = None

    for logical_id in resources:
        visit(logical_id)
    return list(ordered)


def _ssm_parameters(stack: Stack) -> dict[str, str]:
    """Values for parameters that CloudFormation reads from SSM: the CDK bootstrap version, an image."""
    values = {}
    for name, parameter in stack.template.get("Parameters", {}).items():
        if str(parameter.get("Type", "")).startswith("AWS::SSM::Parameter::Value"):
            digest = hashlib.sha256(str(parameter.get("Default")).encode()).hexdigest()[:17]
            values[name] = f"ami-{digest}" if "Image" in parameter["Type"] else "30"
    return values


def _deployed(session: _Session, resolver: Resolver) -> DeployedStack:
    outputs: dict[str, Json] = {}
    exports: dict[str, Json] = {}
    for name, output in resolver.template.get("Outputs", {}).items():
        if "Condition" in output and not resolver.condition(output["Condition"]):
            continue
        outputs[name] = resolver.resolve(output["Value"])
        if "Export" in output:
            exports[resolver.resolve(output["Export"]["Name"])] = outputs[name]
    now = session.site.account.clock.now()
    return DeployedStack(
        place=session.site.place,
        template=session.stack.template,
        resources=session.done,
        outputs=outputs,
        exports=exports,
        tags=session.stack.tags,
        created=session.before.created if session.before else now,
        updated=now if session.before else None,
    )
