"""IAM actions and resources that AWS checks for an API operation: the one table.

An action has the name of its operation, with the service's prefix, except where the Service Authorization
Reference says otherwise.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from emulator.core.call_record import Call
from emulator.core.credentials import Credentials

EVERYTHING = "*"
REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference"

# The IAM prefix of each service by boto3's name, where the two differ; with the page that names it.
PREFIXES: dict[str, tuple[str, str]] = {
    "dynamodbstreams": ("dynamodb", f"{REFERENCE}/list_amazondynamodb.html"),
    "elbv2": ("elasticloadbalancing", f"{REFERENCE}/list_awselasticloadbalancingv2.html"),
    "service-quotas": ("servicequotas", f"{REFERENCE}/list_servicequotas.html"),
    "resourcegroupstaggingapi": ("tag", f"{REFERENCE}/list_amazonresourcegrouptaggingapi.html"),
}
# Operations that are authorized as others, with the page that says so.
OTHERWISE: dict[tuple[str, str], tuple[tuple[str, ...], str]] = {
    ("sts", "GetCallerIdentity"): (
        (),  # "No permissions are required"
        f"{REFERENCE}/list_awssecuritytokenservice.html",
    ),
}
# A transaction is authorized by the operations in it.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
IN_TRANSACTION = {
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Delete": "dynamodb:DeleteItem",
    "Get": "dynamodb:GetItem",
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
}


def iam_actions(service: str, operation: str, parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The IAM actions of one operation, by boto3's service name; `parameters` show the operations in a transaction."""
    if (service, operation) in (("dynamodb", "TransactGetItems"), ("dynamodb", "TransactWriteItems")):
        kinds = {kind for item in parameters["TransactItems"] for kind in item}
        return tuple(IN_TRANSACTION[kind] for kind in sorted(kinds))
    if (service, operation) in OTHERWISE:
        return OTHERWISE[service, operation][0]
    prefix, _ = PREFIXES.get(service, (service, ""))
    return (f"{prefix}:{operation}",)


def by_role(calls: Iterable[Call], credentials: Credentials) -> dict[str, dict[str, int]]:
    """Number of requests for each IAM action, by the role that made them; calls with a user's own key are under ''."""
    actions: dict[str, Counter[str]] = {}
    for call in calls:
        counts = actions.setdefault(_role(call, credentials), Counter())
        counts.update(iam_actions(call.service, call.operation, call.parameters))
    return {role: dict(sorted(counts.items())) for role, counts in sorted(actions.items())}


def resources_by_role(calls: Iterable[Call], credentials: Credentials) -> dict[str, dict[str, list[str]]]:
    """The resources on which each role used each IAM action, where `resource_of` knows them."""
    resources: dict[str, dict[str, set[str]]] = {}
    for call in calls:
        if arn := resource_of(call):
            for action in iam_actions(call.service, call.operation, call.parameters):
                resources.setdefault(_role(call, credentials), {}).setdefault(action, set()).add(arn)
    return {
        role: {action: sorted(arns) for action, arns in sorted(actions.items())}
        for role, actions in sorted(resources.items())
    }


def resource_of(call: Call) -> str | None:
    """The ARN that AWS checks for a call to CloudFormation or CodePipeline; None for other services and lists."""
    if call.service not in ("cloudformation", "codepipeline"):
        return None
    return next(RESOURCES[call.service][0](call), None)


@dataclass(frozen=True)
class Required:
    """One right that a call takes: an action on a resource. `keys` are the condition keys that the call gives it."""

    action: str
    resource: str
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)


def required(call: Call) -> tuple[Required, ...]:
    """The rights that a call itself needs, by its parameters. Raises NotImplementedError for an unknown change.

    `authorization` has the further rights that AWS checks because of what the parameters refer to.
    """
    asked, keys = call.parameters, {**_request_tags(call.parameters), **_keys(call)}
    if call.operation in ("TransactGetItems", "TransactWriteItems"):
        items = {(kind, each["TableName"]) for item in asked["TransactItems"] for kind, each in item.items()}
        return tuple(Required(IN_TRANSACTION[kind], _table(call, name)) for kind, name in sorted(items))
    actions = iam_actions(call.service, call.operation, asked)
    return tuple(Required(action, arn, keys) for action in actions for arn in resources_of(call))


def resources_of(call: Call) -> tuple[str, ...]:
    """The ARNs that AWS checks for a call: `*` if the operation takes no resource, or the call names none."""
    known = RESOURCES.get(call.service)
    found = tuple(dict.fromkeys(known[0](call))) if known else ()
    if not found and call.mutating:
        raise NotImplementedError(
            f"{call.service}:{call.operation} changes something, and {__name__} does not tell on which resource AWS "
            "checks it: write it there, by the Service Authorization Reference."
        )
    return found or (EVERYTHING,)


def _table(call: Call, name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:dynamodb:{call.region}:{call.account}:table/{name}"


def _dynamodb(call: Call) -> Iterator[str]:
    """Table, index, stream, backup. AWS checks a query of an index on the index."""
    asked = call.parameters
    if "TableName" in asked and call.operation not in ("ListBackups", "ListContributorInsights"):
        table = _table(call, asked["TableName"])
        yield f"{table}/index/{asked['IndexName']}" if asked.get("IndexName") else table
    for name in asked.get("RequestItems", ()):
        yield _table(call, name)
    for name in ("ResourceArn", "BackupArn", "StreamArn"):
        if name in asked:
            yield asked[name]
    if iterator := asked.get("ShardIterator"):
        yield iterator.partition("|")[0]  # an iterator begins with its stream


def _autoscaling(call: Call) -> Iterator[str]:
    if (name := call.parameters.get("AutoScalingGroupName")) and call.mutating:
        place = f"arn:aws:autoscaling:{call.region}:{call.account}:autoScalingGroup"
        yield f"{place}:00000000-0000-4000-8000-000000000000:autoScalingGroupName/{name}"


def _ec2(call: Call) -> Iterator[str]:
    asked, place = call.parameters, f"arn:aws:ec2:{call.region}:{call.account}"
    if not call.mutating:
        return
    for name, kind in (("LaunchTemplateId", "launch-template"), ("GroupId", "security-group")):
        if name in asked:
            yield f"{place}:{kind}/{asked[name]}"
    if call.operation.endswith("CapacityReservation"):
        yield f"{place}:capacity-reservation/{asked.get('CapacityReservationId', '*')}"


def _elasticache(call: Call) -> Iterator[str]:
    asked, place = call.parameters, f"arn:aws:elasticache:{call.region}:{call.account}"
    for name, kind in (("ReplicationGroupId", "replicationgroup"), ("SnapshotName", "snapshot")):
        if asked.get(name):
            yield f"{place}:{kind}:{asked[name]}"
    if "ResourceName" in asked:
        yield asked["ResourceName"]


# Parameters of Amazon RDS that name a resource, with the kind in its ARN. Settings that an instance inherits from
# its cluster are checked where the cluster is named.
_OF_RDS = {
    "DBInstanceIdentifier": "db",
    "DBClusterIdentifier": "cluster",
    "DbClusterIdentifier": "cluster",
    "DBClusterSnapshotIdentifier": "cluster-snapshot",
    "FinalDBSnapshotIdentifier": "cluster-snapshot",
    "GlobalClusterIdentifier": "global-cluster",
    "DBClusterEndpointIdentifier": "cluster-endpoint",
    "DBSubnetGroupName": "subgrp",
    "DBParameterGroupName": "pg",
    "DBClusterParameterGroupName": "cluster-pg",
    "OptionGroupName": "og",
}


def _rds(call: Call) -> Iterator[str]:
    asked = call.parameters
    for name, kind in _OF_RDS.items():
        if value := asked.get(name):
            region = "" if kind == "global-cluster" else call.region
            yield value if value.startswith("arn:") else f"arn:aws:rds:{region}:{call.account}:{kind}:{value}"
    if "ResourceName" in asked:
        yield asked["ResourceName"]


def _cloudformation(call: Call) -> Iterator[str]:
    if "StackName" in call.parameters:
        name = str(call.parameters["StackName"])
        place = f"arn:aws:cloudformation:{call.region}:{call.account}"
        yield name if name.startswith("arn:") else f"{place}:stack/{name}/id"


def _codepipeline(call: Call) -> Iterator[str]:
    asked = call.parameters
    if pipeline := asked.get("pipelineName", asked.get("name")):
        parts = (pipeline, asked.get("stageName"), asked.get("actionName"))
        yield f"arn:aws:codepipeline:{call.region}:{call.account}:" + "/".join(str(each) for each in parts if each)
    elif call.operation in ("PutJobSuccessResult", "PutJobFailureResult"):
        yield EVERYTHING


def _ssm(call: Call) -> Iterator[str]:
    asked = call.parameters
    named = [asked[name] for name in ("Name", "ResourceId") if name in asked]  # of tags, by ResourceId
    for name in (*named, *asked.get("Names", ())):
        place = f"arn:aws:ssm:{call.region}:{call.account}:parameter"
        yield name if name.startswith("arn:") else f"{place}/{name.removeprefix('/')}"


def _s3(call: Call) -> Iterator[str]:
    bucket, key = call.parameters.get("Bucket"), call.parameters.get("Key")
    if bucket:
        yield f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"


def _entries(call: Call) -> Iterator[str]:
    for entry in call.parameters.get("Entries", ()):
        name = entry.get("EventBusName", "default")
        place = f"arn:aws:events:{call.region}:{call.account}:event-bus"
        yield name if name.startswith("arn:") else f"{place}/{name}"


def _events(call: Call) -> Iterator[str]:
    if name := call.parameters.get("Name"):
        yield f"arn:aws:events:{call.region}:{call.account}:rule/{name}"
    yield from _entries(call)


def _cloudwatch(call: Call) -> Iterator[str]:
    """Alarms that are changed; reads need no resource, and a datapoint belongs to none."""
    if not call.mutating:
        return
    asked = call.parameters
    for name in (*asked.get("AlarmNames", ()), *([asked["AlarmName"]] if "AlarmName" in asked else ())):
        yield f"arn:aws:cloudwatch:{call.region}:{call.account}:alarm:{name}"
    if call.operation == "PutMetricData":
        yield EVERYTHING


def _named_by(parameter: str) -> Callable[[Call], Iterator[str]]:
    """The parameter is the ARN itself."""

    def arns(call: Call) -> Iterator[str]:
        if value := call.parameters.get(parameter):
            yield str(value)

    return arns


def _under(kind: str, parameter: str) -> Callable[[Call], Iterator[str]]:
    """The parameter is the name of a resource of that service."""

    def arns(call: Call) -> Iterator[str]:
        if value := call.parameters.get(parameter):
            prefix, _ = PREFIXES.get(call.service, (call.service, ""))
            yield f"arn:aws:{prefix}:{call.region}:{call.account}:{kind}{value}"

    return arns


def _quota(call: Call) -> Iterator[str]:
    asked = call.parameters
    if call.operation == "GetServiceQuota":
        place = f"arn:aws:servicequotas:{call.region}:{call.account}"
        yield f"{place}:{asked['ServiceCode']}/{asked['QuotaCode']}"


# By boto3's service name: the reader of a call's resources, and the page that lists the service's resource types.
# A service that is not here has only read operations that take no resource, or lose their list when one is named.
RESOURCES: dict[str, tuple[Callable[[Call], Iterator[str]], str]] = {
    "autoscaling": (_autoscaling, f"{REFERENCE}/list_amazonec2autoscaling.html"),
    "cloudformation": (_cloudformation, f"{REFERENCE}/list_awscloudformation.html"),
    "cloudwatch": (_cloudwatch, f"{REFERENCE}/list_amazoncloudwatch.html"),
    "codebuild": (_under("project/", "projectName"), f"{REFERENCE}/list_awscodebuild.html"),
    "codepipeline": (_codepipeline, f"{REFERENCE}/list_awscodepipeline.html"),
    "dynamodb": (_dynamodb, f"{REFERENCE}/list_amazondynamodb.html"),
    "dynamodbstreams": (_dynamodb, f"{REFERENCE}/list_amazondynamodb.html"),
    "ec2": (_ec2, f"{REFERENCE}/list_amazonec2.html"),
    "elasticache": (_elasticache, f"{REFERENCE}/list_amazonelasticache.html"),
    "events": (_events, f"{REFERENCE}/list_amazoneventbridge.html"),
    "kms": (_named_by("KeyId"), f"{REFERENCE}/list_awskeymanagementservice.html"),
    "osis": (_under("pipeline/", "PipelineName"), f"{REFERENCE}/list_amazonopensearchingestion.html"),
    "rds": (_rds, f"{REFERENCE}/list_amazonrds.html"),
    "s3": (_s3, f"{REFERENCE}/list_amazons3.html"),
    "service-quotas": (_quota, f"{REFERENCE}/list_servicequotas.html"),
    "sns": (_named_by("TopicArn"), f"{REFERENCE}/list_amazonsns.html"),
    "ssm": (_ssm, f"{REFERENCE}/list_awssystemsmanager.html"),
    "sts": (_named_by("RoleArn"), f"{REFERENCE}/list_awssecuritytokenservice.html"),
}
# Parameters that are condition keys of their service, from the same pages.
_KEYS: dict[str, dict[str, str]] = {
    "cloudformation": {
        "ChangeSetName": "cloudformation:changesetname",
        "RoleARN": "cloudformation:rolearn",
        "ResourceTypes": "cloudformation:resourcetypes",
        "TemplateURL": "cloudformation:templateurl",
    },
    "cloudwatch": {"Namespace": "cloudwatch:namespace"},
    "sts": {"ExternalId": "sts:externalid", "RoleSessionName": "sts:rolesessionname"},
}


def _keys(call: Call) -> dict[str, Sequence[str]]:
    values: dict[str, Sequence[str]] = {}
    for parameter, key in _KEYS.get(call.service, {}).items():
        if (value := call.parameters.get(parameter)) is not None:
            values[key] = [str(each) for each in value] if isinstance(value, list) else [str(value)]
    return values


def _request_tags(asked: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """The tags that a call sets on the resource it creates: aws:RequestTag and aws:TagKeys."""
    tags: Any = asked.get("Tags", ())
    listed = tags if isinstance(tags, list | tuple) else ()
    named = {each["Key"]: [str(each.get("Value", ""))] for each in listed}
    found: dict[str, Sequence[str]] = {f"aws:requesttag/{key.lower()}": value for key, value in named.items()}
    return {**found, "aws:tagkeys": list(named)} if named else found


def _role(call: Call, credentials: Credentials) -> str:
    key = credentials.find(call.access_key)
    return key.role_arn.rsplit("/", 1)[-1] if key is not None and key.role_arn else ""
