"""Tags of Aurora global clusters, which moto accepts at creation and then drops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.tagging.api import OnceTagged

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

_API = "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference"
_TAGGING = "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Tagging.html"


class GlobalClusterTags:
    """Tags by the global cluster's ARN. The ARN names no Region: every Region shows the same tags."""

    def __init__(self) -> None:
        self.by_arn: dict[str, dict[str, str]] = {}

    def listed(self, arn: str) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self.by_arn.get(arn, {}).items()]


@emulates(
    "rds",
    "CreateGlobalCluster",
    rule="The tags given at creation stay on the global cluster.",
    source=f"{_API}/API_CreateGlobalCluster.html",
)
def create_global_cluster(account: Account, call: Call) -> Answer:
    answer = call.forward()
    tags = {tag["Key"]: tag["Value"] for tag in call.parameters.get("Tags", [])}
    account.part(GlobalClusterTags).by_arn[answer["GlobalCluster"]["GlobalClusterArn"]] = tags
    return _with_tags(account, answer)


@emulates(
    "rds",
    "DescribeGlobalClusters",
    rule="The answer has a global cluster's tags.",
    source=f"{_API}/API_DescribeGlobalClusters.html",
)
def describe_global_clusters(account: Account, call: Call) -> Answer:
    answer = call.forward()
    clusters = [_with_tags(account, {"GlobalCluster": each})["GlobalCluster"] for each in answer["GlobalClusters"]]
    return {**answer, "GlobalClusters": clusters}


@emulates("rds", "ListTagsForResource", rule="Global clusters have tags like clusters.", source=_TAGGING)
def list_tags_for_resource(account: Account, call: Call) -> Answer:
    arn = call.parameters["ResourceName"]
    return {"TagList": _tags_of(account, arn).listed(arn)} if _is_global(arn) else call.forward()


@emulates("rds", "AddTagsToResource", rule="Global clusters have tags like clusters.", source=_TAGGING)
def add_tags_to_resource(account: Account, call: Call) -> Answer:
    arn = call.parameters["ResourceName"]
    if not _is_global(arn):
        return call.forward()
    added = {tag["Key"]: tag.get("Value", "") for tag in call.parameters["Tags"]}
    _tags_of(account, arn).by_arn[arn].update(added)
    return {}


@emulates("rds", "RemoveTagsFromResource", rule="Global clusters have tags like clusters.", source=_TAGGING)
def remove_tags_from_resource(account: Account, call: Call) -> Answer:
    arn = call.parameters["ResourceName"]
    if not _is_global(arn):
        account.part(OnceTagged).arns.add(arn)
        return call.forward()
    tags = _tags_of(account, arn).by_arn[arn]
    for key in call.parameters["TagKeys"]:
        tags.pop(key, None)
    return {}


def _is_global(arn: str) -> bool:
    return ":global-cluster:" in arn


def _tags_of(account: Account, arn: str) -> GlobalClusterTags:
    tags = account.part(GlobalClusterTags)
    if arn not in tags.by_arn:
        raise AwsError("GlobalClusterNotFoundFault", f"{arn} not found.", 404)
    return tags


def _with_tags(account: Account, answer: Answer) -> dict[str, Answer]:
    cluster = answer["GlobalCluster"]
    tags = account.part(GlobalClusterTags).listed(cluster["GlobalClusterArn"])
    return {"GlobalCluster": {**cluster, "TagList": tags}}
