"""Acknowledged findings of the validators, each with its reason, next to the resource that has it."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import IConstruct


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept the cdk-nag finding `rule` (such as EC23, or IAM5[Resource::*]) on `construct` and below."""
    acknowledgment = cdk.Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason)
    cdk.Validations.of(construct).acknowledge(acknowledgment)


def logical_id(construct: IConstruct) -> str:
    """The template's logical id of the resource behind `construct`, which findings use."""
    resource = construct.node.default_child
    assert isinstance(resource, cdk.CfnElement)  # an L2's default child is its resource
    return str(cdk.Stack.of(construct).resolve(resource.logical_id))
