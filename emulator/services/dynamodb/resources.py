"""DynamoDB tables, from GlobalTable (CDK's TableV2) and from Table.

Stack tags do not reach a GlobalTable (its schema has no tagging): only the tags of its replicas do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.core.resource_type import Created, Declared, LoadRefused, Properties, ResourceType, Site, request

POLL = 10  # seconds


def create_global_table(site: Site, resource: Declared) -> Created:
    replicas = {each["Region"]: each for each in resource["Replicas"]}
    here = replicas[site.place.region]
    made = _create(
        site,
        resource,
        {**resource.without("Replicas", "SSESpecification", "StreamSpecification"), **_of_replica(here)},
        encryption={**resource.get("SSESpecification", {}), **here.get("SSESpecification", {})},
        stream=resource.get("StreamSpecification"),
        tags=here.get("Tags", []),
        recovery=here.get("PointInTimeRecoverySpecification", {}),
    )
    elsewhere = [region for region in replicas if region != site.place.region]
    if elsewhere:
        site.client("dynamodb").update_table(
            TableName=made.id, ReplicaUpdates=[{"Create": {"RegionName": region}} for region in elsewhere]
        )
    return made


def create_table(site: Site, resource: Declared) -> Created:
    return _create(
        site,
        resource,
        resource.without("SSESpecification", "StreamSpecification", "Tags"),
        encryption=resource.get("SSESpecification", {}),
        stream=resource.get("StreamSpecification"),
        tags=resource.tag_list,
        recovery=resource.get("PointInTimeRecoverySpecification", {}),
    )


def _of_replica(replica: Mapping[str, Any]) -> dict[str, Any]:
    return {name: replica[name] for name in ("DeletionProtectionEnabled", "TableClass") if name in replica}


def _create(
    site: Site,
    resource: Declared,
    properties: Mapping[str, Any],
    *,
    encryption: Mapping[str, Any],
    stream: Mapping[str, Any] | None,
    tags: list[dict[str, str]],
    recovery: Mapping[str, Any],
) -> Created:
    dynamodb = site.client("dynamodb")
    parameters = request(dynamodb, "CreateTable", properties, Tags=tags)
    name = parameters.setdefault("TableName", resource.generated_name(255))
    if encryption:
        parameters["SSESpecification"] = _encryption(encryption)
    if stream:
        parameters["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": stream["StreamViewType"]}
    table = dynamodb.create_table(**parameters)["TableDescription"]
    if recovery.get("PointInTimeRecoveryEnabled"):
        dynamodb.update_continuous_backups(
            TableName=name,
            PointInTimeRecoverySpecification=request(
                dynamodb, "UpdateContinuousBackups", {"PointInTimeRecoverySpecification": recovery}
            )["PointInTimeRecoverySpecification"],
        )
    lifetime = resource.get("TimeToLiveSpecification", {})
    if lifetime.get("Enabled"):
        dynamodb.update_time_to_live(
            TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": lifetime["AttributeName"]}
        )
    return _created(table)


def _encryption(specification: Mapping[str, Any]) -> dict[str, Any]:
    key = specification.get("KMSMasterKeyId")
    enabled = {"Enabled": bool(specification.get("SSEEnabled", True)), "SSEType": specification.get("SSEType", "KMS")}
    return {**enabled, "KMSMasterKeyId": key} if key else enabled


def _created(table: Mapping[str, Any]) -> Created:
    attributes = {"Arn": table["TableArn"], "TableId": table.get("TableId", "")}
    if "LatestStreamArn" in table:
        attributes["StreamArn"] = table["LatestStreamArn"]
    return Created(table["TableName"], attributes)


def adopt_table(site: Site, resource: Declared) -> Created:
    """Take over an existing table: an import calls only the read operation."""
    return _created(site.client("dynamodb").describe_table(TableName=resource["TableName"])["Table"])


def update_table(site: Site, resource: Declared, made: Created, before: Properties) -> Created:
    """Change indexes and stream as CloudFormation does: it compares templates, and never reads the account."""
    dynamodb = site.client("dynamodb")
    changed = resource.changed_since(before)
    if "GlobalSecondaryIndexes" in changed:
        _update_indexes(dynamodb, resource, made.id, before.get("GlobalSecondaryIndexes", []))
        _wait(site, made.id)
    if "StreamSpecification" in changed:
        wanted = resource.get("StreamSpecification")
        stream = {"StreamEnabled": True, **wanted} if wanted else {"StreamEnabled": False}
        dynamodb.update_table(TableName=made.id, StreamSpecification=stream)
        _wait(site, made.id)
    return _created(dynamodb.describe_table(TableName=made.id)["Table"])


def _wait(site: Site, name: str) -> None:
    """Wait until table and indexes are ACTIVE again, as CloudFormation does."""
    while not _is_active(site.client("dynamodb").describe_table(TableName=name)["Table"]):
        site.account.clock.sleep(POLL)


def _update_indexes(dynamodb: Any, resource: Declared, table: str, before: list[dict[str, Any]]) -> None:
    wanted = {each["IndexName"]: each for each in resource.get("GlobalSecondaryIndexes", [])}
    deployed = {each["IndexName"] for each in before}
    removed, added = sorted(deployed - set(wanted)), sorted(set(wanted) - deployed)
    if len(removed) + len(added) > 1:
        # CloudFormation's own words (aws-amplify/amplify-cli#9106): also for indexes that were deleted by hand.
        raise LoadRefused(
            f"{resource.place.stack}/{resource.logical_id}: Cannot perform more than one GSI creation or deletion "
            f"in a single update (removed: {removed}, added: {added})."
        )
    changes: list[dict[str, Any]] = [{"Delete": {"IndexName": name}} for name in removed]
    changes += [{"Create": wanted[name]} for name in added]
    if changes:
        definitions = resource["AttributeDefinitions"]
        properties = {"TableName": table, "AttributeDefinitions": definitions, "GlobalSecondaryIndexUpdates": changes}
        dynamodb.update_table(**request(dynamodb, "UpdateTable", properties))


_UPDATABLE = frozenset({"GlobalSecondaryIndexes", "AttributeDefinitions", "StreamSpecification"})

TYPES: Mapping[str, ResourceType] = {
    "AWS::DynamoDB::GlobalTable": ResourceType(create_global_table, update_table, _UPDATABLE, adopt=adopt_table),
    "AWS::DynamoDB::Table": ResourceType(create_table, update_table, _UPDATABLE),
}


def _is_active(table: Mapping[str, Any]) -> bool:
    """Whether the table and its indexes are ACTIVE: only then does UpdateTable accept another change."""
    states = (table["TableStatus"], *(each["IndexStatus"] for each in table.get("GlobalSecondaryIndexes", [])))
    return set(states) == {"ACTIVE"}
