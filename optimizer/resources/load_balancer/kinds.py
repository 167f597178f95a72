"""Application Load Balancers: found by tag or all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from optimizer.model.resource import Kind, Selection, Tags, Touched
from optimizer.ports.aws import Aws
from optimizer.resources.kind import Billed, Found, ResourceKind
from optimizer.resources.load_balancer.actual_state import LOAD_BALANCER
from optimizer.resources.tags import flat, tagged


def _find_load_balancers(aws: Aws, selection: Selection) -> Iterator[Found]:
    kind = "elasticloadbalancing:loadbalancer"
    for arn in _all_arns(aws) if selection.tag is None else tagged(aws, kind, selection.tag):
        if "loadbalancer/app/" in arn:
            yield arn.split("/")[-2], arn, {}


def _all_arns(aws: Aws) -> Iterator[str]:
    for page in aws.elbv2.get_paginator("describe_load_balancers").paginate():
        yield from (each["LoadBalancerArn"] for each in page["LoadBalancers"])


def touched_in_elb(aws: Aws, arn: str) -> Touched:
    """A load balancer or a target group, whose targets change with the instances that are registered in it."""
    return Touched(arn.rsplit(":", 1)[1], lambda: _elb_tags(aws, arn))


def _elb_tags(aws: Aws, arn: str) -> Tags:
    return flat(aws.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0].get("Tags", []))


def _tags_of(aws: Aws, arns: Sequence[str]) -> Mapping[str, Tags]:
    """Twenty at a time (Elastic Load Balancing API, DescribeTags); one that is gone fails the call."""
    return {
        each["ResourceArn"]: flat(each.get("Tags", []))
        for first in range(0, len(arns), 20)
        for each in aws.elbv2.describe_tags(ResourceArns=list(arns[first : first + 20]))["TagDescriptions"]
    }


KINDS = (
    ResourceKind(
        Kind.LOAD_BALANCER,
        words="Load balancer",
        arn=("elasticloadbalancing", "loadbalancer"),
        part="fleet",
        service="Amazon Elastic Load Balancing",
        find=_find_load_balancers,
        tags=_elb_tags,
        tags_of=_tags_of,
        compared={Kind.LOAD_BALANCER.value: LOAD_BALANCER},
        billed=lambda _aws, _name: Billed({"Application Load Balancer": 1}),
        reads={
            "awselasticloadbalancingv2": (
                "elasticloadbalancing:DescribeLoadBalancers",
                "elasticloadbalancing:DescribeTags",
                "elasticloadbalancing:DescribeTargetGroups",
            )
        },
        none="no Application Load Balancer: errors and latency could not be watched after a change",
    ),
)
