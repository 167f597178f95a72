"""Aurora: the global cluster, clusters, instances and the groups they refer to."""

from __future__ import annotations

from collections.abc import Mapping

from emulator.core.resource_type import Created, Declared, Properties, ResourceType, Site, request

POLL = 60  # seconds
_CLUSTER_UPDATABLE = frozenset(
    {"BackupRetentionPeriod", "DeletionProtection", "EngineVersion", "PreferredBackupWindow"}
)
_INSTANCE_UPDATABLE = frozenset({"DBInstanceClass", "PromotionTier", "MonitoringInterval"})


def create_subnet_group(site: Site, resource: Declared) -> Created:
    rds = site.client("rds")
    parameters = request(rds, "CreateDBSubnetGroup", resource.without("Tags"), Tags=resource.tag_list)
    name = parameters.setdefault("DBSubnetGroupName", resource.generated_name(255)).lower()
    rds.create_db_subnet_group(**{**parameters, "DBSubnetGroupName": name})
    return Created(name)


def create_cluster_parameter_group(site: Site, resource: Declared) -> Created:
    name = str(resource.get("DBClusterParameterGroupName") or resource.generated_name(255)).lower()
    site.client("rds").create_db_cluster_parameter_group(
        DBClusterParameterGroupName=name,
        DBParameterGroupFamily=resource["Family"],
        Description=resource["Description"],
        Tags=resource.tag_list,
    )
    return Created(name)


def create_parameter_group(site: Site, resource: Declared) -> Created:
    name = str(resource.get("DBParameterGroupName") or resource.generated_name(255)).lower()
    site.client("rds").create_db_parameter_group(
        DBParameterGroupName=name,
        DBParameterGroupFamily=resource["Family"],
        Description=resource["Description"],
        Tags=resource.tag_list,
    )
    return Created(name)


def create_global_cluster(site: Site, resource: Declared) -> Created:
    rds = site.client("rds")
    parameters = request(rds, "CreateGlobalCluster", resource.without("Tags"), Tags=resource.tag_list)
    name = parameters.setdefault("GlobalClusterIdentifier", resource.generated_name(63)).lower()
    made = rds.create_global_cluster(**{**parameters, "GlobalClusterIdentifier": name})["GlobalCluster"]
    return Created(
        name, {"GlobalClusterArn": made["GlobalClusterArn"], "GlobalEndpoint.Address": made.get("Endpoint", "")}
    )


def create_cluster(site: Site, resource: Declared) -> Created:
    rds = site.client("rds")
    parameters = request(rds, "CreateDBCluster", resource.without("Tags"), Tags=resource.tag_list)
    name = parameters.setdefault("DBClusterIdentifier", resource.generated_name(63)).lower()
    for property_name, value in {"MasterUsername": "postgres", "MasterUserPassword": "rehearsal-password"}.items():
        if str(parameters.get(property_name, "")).startswith("{{resolve:"):  # CloudFormation would read the secret
            parameters[property_name] = value
    shown = rds.create_db_cluster(**{**parameters, "DBClusterIdentifier": name})["DBCluster"]
    return Created(
        name,
        {
            "DBClusterArn": shown["DBClusterArn"],
            "DBClusterResourceId": shown["DbClusterResourceId"],
            "Endpoint.Address": shown["Endpoint"],
            "Endpoint.Port": str(shown["Port"]),
            "ReadEndpoint.Address": shown["ReaderEndpoint"],
        },
    )


def update_cluster(site: Site, resource: Declared, made: Created, before: Properties) -> Created:
    rds = site.client("rds")
    changed = {name: resource[name] for name in resource.changed_since(before) if name in resource.properties}
    parameters = request(rds, "ModifyDBCluster", changed, DBClusterIdentifier=made.id, ApplyImmediately=True)
    rds.modify_db_cluster(**parameters)
    return made


def create_instance(site: Site, resource: Declared) -> Created:
    rds = site.client("rds")
    parameters = request(rds, "CreateDBInstance", resource.without("Tags"), Tags=resource.tag_list)
    name = parameters.setdefault("DBInstanceIdentifier", resource.generated_name(63)).lower()
    shown = rds.create_db_instance(**{**parameters, "DBInstanceIdentifier": name})["DBInstance"]
    endpoint = shown.get("Endpoint", {})
    return Created(
        name,
        {
            "DBInstanceArn": shown["DBInstanceArn"],
            "DbiResourceId": shown["DbiResourceId"],
            "Endpoint.Address": endpoint.get("Address", ""),
            "Endpoint.Port": str(endpoint.get("Port", "")),
        },
    )


def update_instance(site: Site, resource: Declared, made: Created, before: Properties) -> Created:
    """Modify an instance as CloudFormation does: when it is available, until nothing is pending."""
    rds = site.client("rds")
    changed = {name: resource[name] for name in resource.changed_since(before) if name in resource.properties}
    parameters = request(rds, "ModifyDBInstance", changed, DBInstanceIdentifier=made.id, ApplyImmediately=True)
    _until_settled(site, made.id)
    rds.modify_db_instance(**parameters)
    _until_settled(site, made.id)
    return made


def _until_settled(site: Site, name: str) -> None:
    def settled() -> bool:
        (instance,) = site.client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
        return instance["DBInstanceStatus"] == "available" and not instance.get("PendingModifiedValues")

    while not settled():
        site.account.clock.sleep(POLL)


def delete_subnet_group(site: Site, name: str) -> None:
    site.client("rds").delete_db_subnet_group(DBSubnetGroupName=name)


def delete_cluster_parameter_group(site: Site, name: str) -> None:
    site.client("rds").delete_db_cluster_parameter_group(DBClusterParameterGroupName=name)


TYPES: Mapping[str, ResourceType] = {
    "AWS::RDS::DBSubnetGroup": ResourceType(create_subnet_group, delete=delete_subnet_group),
    "AWS::RDS::DBClusterParameterGroup": ResourceType(
        create_cluster_parameter_group, delete=delete_cluster_parameter_group
    ),
    "AWS::RDS::DBParameterGroup": ResourceType(create_parameter_group),
    "AWS::RDS::GlobalCluster": ResourceType(create_global_cluster),
    "AWS::RDS::DBCluster": ResourceType(create_cluster, update_cluster, _CLUSTER_UPDATABLE),
    "AWS::RDS::DBInstance": ResourceType(create_instance, update_instance, _INSTANCE_UPDATABLE),
}
