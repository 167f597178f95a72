"""A template as a graph: the order of creation, resources with custom names, and protected resources."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cloudformation.template import Template, references

POLICIES = ("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy")
NAMES: Mapping[str, str] = {
    "AWS::AutoScaling::AutoScalingGroup": "AutoScalingGroupName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::CodeBuild::Project": "Name",
    "AWS::CodePipeline::Pipeline": "Name",
    "AWS::DynamoDB::GlobalTable": "TableName",
    "AWS::EC2::LaunchTemplate": "LaunchTemplateName",
    "AWS::ElastiCache::ReplicationGroup": "ReplicationGroupId",
    "AWS::ElastiCache::SubnetGroup": "CacheSubnetGroupName",
    "AWS::ElastiCache::User": "UserId",
    "AWS::ElastiCache::UserGroup": "UserGroupId",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "Name",
    "AWS::Events::EventBus": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::KMS::Alias": "AliasName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::RDS::DBCluster": "DBClusterIdentifier",
    "AWS::RDS::DBInstance": "DBInstanceIdentifier",
    "AWS::RDS::DBSubnetGroup": "DBSubnetGroupName",
    "AWS::RDS::GlobalCluster": "GlobalClusterIdentifier",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SSM::Parameter": "Name",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::Synthetics::Canary": "Name",
}
"""By type: the property with a resource's custom name, which must be unique in an account and Region."""


def creation_order(template: Template) -> Iterator[str]:
    """Logical ids, each after its dependencies; among those that may come next, policies last."""
    resources = template["Resources"]
    waiting = {logical_id: _needs(template, logical_id) for logical_id in resources}
    while waiting:
        ready = [logical_id for logical_id, needed in waiting.items() if not needed & waiting.keys()]
        assert ready, f"these depend on each other: {', '.join(waiting)}"
        chosen = next((id for id in ready if resources[id]["Type"] not in POLICIES), ready[0])
        del waiting[chosen]
        yield chosen


def dependencies(template: Template, logical_id: str) -> frozenset[str]:
    """All resources that are created before this one, by reference or DependsOn, directly or not."""
    names: set[str] = set()
    waiting = [logical_id]
    while waiting:
        new = _needs(template, waiting.pop()) - names
        names |= new
        waiting += new
    return frozenset(names)


def own_name(template: Template, logical_id: str) -> tuple[str, str] | None:
    """Type and name of a resource with a custom name; None if CloudFormation names it."""
    body = template["Resources"][logical_id]
    name = body.get("Properties", {}).get(NAMES.get(body["Type"], ""))
    return (body["Type"], json.dumps(name) if isinstance(name, Mapping) else name) if name else None


def protected(body: Mapping[str, Any]) -> bool:
    """Whether the service refuses to delete the resource as declared."""
    properties = body.get("Properties", {})
    attributes = {each["Key"]: each["Value"] for each in properties.get("LoadBalancerAttributes", ())}
    return bool(
        properties.get("DeletionProtection")
        or any(replica.get("DeletionProtectionEnabled") for replica in properties.get("Replicas", ()))
        or str(attributes.get("deletion_protection.enabled")).lower() == "true"
    )


def _needs(template: Template, logical_id: str) -> set[str]:
    body = template["Resources"][logical_id]
    depends = body.get("DependsOn", [])
    named = {depends} if isinstance(depends, str) else {*depends}
    return ({*references(body.get("Properties", {}))} | named) & set(template["Resources"])
