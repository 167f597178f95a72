"""KMS keys, their replicas in other Regions, and aliases. Key policies are left out: no emulator evaluates them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

from moto.kms import models

from emulator.core.resource_type import Created, Declared, ResourceType, Site


def create_key(site: Site, resource: Declared) -> Created:
    # moto generates an RSA pair (0.1 s) for every key; only asymmetric keys, which no template here declares, need one.
    with patch.object(models, "generate_private_key", return_value=None):
        made = site.client("kms").create_key(
            Description=resource.get("Description", ""),
            MultiRegion=str(resource.get("MultiRegion", False)).casefold() == "true",
            Tags=_tags(resource),
        )
    return _created(made["KeyMetadata"])


def create_replica(site: Site, resource: Declared) -> Created:
    """Make a replica by a call in the primary key's Region, which its ARN names."""
    primary = resource["PrimaryKeyArn"]
    region = primary.split(":")[3]
    made = site.client("kms", region).replicate_key(
        KeyId=primary.rsplit("/", 1)[1], ReplicaRegion=site.place.region, Tags=_tags(resource)
    )
    return _created(made["ReplicaKeyMetadata"])


def create_alias(site: Site, resource: Declared) -> Created:
    target = str(resource["TargetKeyId"]).rsplit("/", 1)[-1]
    site.client("kms").create_alias(AliasName=resource["AliasName"], TargetKeyId=target)
    return Created(resource["AliasName"])


def _created(metadata: Mapping[str, Any]) -> Created:
    return Created(metadata["KeyId"], {"Arn": metadata["Arn"], "KeyId": metadata["KeyId"]})


def _tags(resource: Declared) -> list[dict[str, str]]:
    return [{"TagKey": key, "TagValue": value} for key, value in resource.tags.items()]


TYPES: Mapping[str, ResourceType] = {
    "AWS::KMS::Key": ResourceType(create_key),
    "AWS::KMS::ReplicaKey": ResourceType(create_replica),
    "AWS::KMS::Alias": ResourceType(create_alias),
}
