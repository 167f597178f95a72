"""What `Fn::GetAtt` gives for deployed resources: CloudFormation tells it to nobody, their services do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cloudformation.template import Template
from domain.errors import ReconcileRefused
from optimizer.ports.aws import Aws
from optimizer.reconcile.reimport import Known, attributes


def references_to(aws: Aws, template: Template, leaving: Mapping[str, str]) -> Known:
    """The attributes of `leaving` (logical to physical ids) that the template's other parts refer to.

    Raises ReconcileRefused for one that cannot be told.
    """
    return {
        (logical_id, name): _attribute(aws, template["Resources"][logical_id]["Type"], leaving[logical_id], name)
        for logical_id, name in sorted(attributes(template, leaving))
    }


def _attribute(aws: Aws, type_name: str, physical_id: str, name: str) -> str:
    read = _READ.get(type_name, {}).get(name)
    if read is None:
        raise ReconcileRefused(
            f"{physical_id} cannot leave its stack for a moment: nothing tells its {name} ({type_name}), "
            "which other resources refer to. See docs/runbook.md, Reconcile was refused."
        )
    return read(aws, physical_id)


def _table_arn(aws: Aws, name: str) -> str:
    return aws.dynamodb.describe_table(TableName=name)["Table"]["TableArn"]


def _stream_arn(aws: Aws, name: str) -> str:
    return aws.dynamodb.describe_table(TableName=name)["Table"]["LatestStreamArn"]


def _cache_address(aws: Aws, name: str) -> str:
    (group,) = aws.elasticache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
    return group["ConfigurationEndpoint"]["Address"]


def _cache_port(aws: Aws, name: str) -> str:
    (group,) = aws.elasticache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
    return str(group["ConfigurationEndpoint"]["Port"])


_READ: Mapping[str, Mapping[str, Callable[[Aws, str], str]]] = {
    "AWS::DynamoDB::GlobalTable": {"Arn": _table_arn, "StreamArn": _stream_arn},
    "AWS::ElastiCache::ReplicationGroup": {
        "ConfigurationEndPoint.Address": _cache_address,
        "ConfigurationEndPoint.Port": _cache_port,
    },
}
