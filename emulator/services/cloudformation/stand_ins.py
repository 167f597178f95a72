"""Stand-in values for references to resources that are not loaded: plausible, and the same every time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from cloudformation.template import Json
from emulator.core.resource_type import Created, Declared

# The form of `Ref` for types whose id other resources or AWS's own validation check.
_ID_PREFIXES: Mapping[str, str] = {
    "AWS::EC2::EIP": "eipalloc",
    "AWS::EC2::InternetGateway": "igw",
    "AWS::EC2::NatGateway": "nat",
    "AWS::EC2::NetworkAcl": "acl",
    "AWS::EC2::RouteTable": "rtb",
    "AWS::EC2::VPCEndpoint": "vpce",
}
# Types whose `Ref` is an ARN.
_REF_IS_ARN = frozenset(
    {"AWS::SecretsManager::Secret", "AWS::IAM::ManagedPolicy", "AWS::CertificateManager::Certificate"}
)
# Types whose ARN spells the kind differently from the type (Service Authorization Reference).
_KINDS = {"AWS::Events::EventBus": "event-bus"}
_GLOBAL = frozenset({"iam", "s3"})


def stand_in(resource: Declared) -> Created:
    """An id for a resource that does not exist; its attributes come from `stand_in_attribute`."""
    if prefix := _ID_PREFIXES.get(resource.type):
        return Created(f"{prefix}-{_hexadecimal(resource)[:17]}")
    named = [value for name, value in resource.properties.items() if _names(name, resource.type)]
    name = str(named[0]) if named else resource.generated_name().lower()
    return Created(_arn(resource, name) if resource.type in _REF_IS_ARN else name)


def stand_in_attribute(resource: Declared, physical_id: str, name: str) -> Json:
    """Value of `Fn::GetAtt` for a resource that does not exist."""
    if name.endswith("Arn"):
        return physical_id if physical_id.startswith("arn:") else _arn(resource, physical_id)
    if name.endswith("Id"):
        return _hexadecimal(resource)[:17]
    return f"{physical_id}-{name}".lower()


def _names(property_name: str, type_name: str) -> bool:
    return property_name in ("Name", f"{type_name.rsplit('::', 1)[1]}Name")


def _arn(resource: Declared, name: str) -> str:
    service = resource.type.split("::")[1].lower()
    place = resource.place
    region, account = ("", "") if service == "s3" else ("" if service in _GLOBAL else place.region, place.account)
    spelled = _KINDS.get(resource.type, resource.type.rsplit("::", 1)[1].lower())
    kind = "" if service == "s3" else f"{spelled}/"
    return f"arn:{place.partition}:{service}:{region}:{account}:{kind}{name}"


def _hexadecimal(resource: Declared) -> str:
    return hashlib.sha256(f"{resource.place.stack_id}/{resource.logical_id}".encode()).hexdigest()
