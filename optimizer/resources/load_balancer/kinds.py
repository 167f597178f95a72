"""Application Load Balancers: found by tag."""

from __future__ import annotations

from collections.abc import Iterator

from optimizer.model.resource import Kind, Tags
from optimizer.ports.aws import Aws
from optimizer.resources.kind import Found, ResourceKind
from optimizer.resources.tags import flat, tagged


def _find_load_balancers(aws: Aws) -> Iterator[Found]:
    for arn in tagged(aws, "elasticloadbalancing:loadbalancer"):
        if "loadbalancer/app/" in arn:
            yield arn.split("/")[-2], arn, {}


def _load_balancer_tags(aws: Aws, arn: str) -> Tags:
    return flat(aws.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"])


KINDS = (ResourceKind(Kind.LOAD_BALANCER, _find_load_balancers, _load_balancer_tags),)
