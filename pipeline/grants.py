"""Wildcards that CDK grants to the pipeline's roles, each acknowledged with the reason to keep it.

CDK Pipelines makes these grants itself: to every project on the artifacts, its log and its reports,
to the pipeline on the artifacts of each Region. They are limited to the pipeline's own buckets, keys and names.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import pipelines as cdk_pipelines
from constructs import IConstruct

from stages.acknowledged import acknowledge, logical_id

OF_ARTIFACTS = ("s3:Abort*", "s3:DeleteObject*", "s3:GetBucket*", "s3:GetObject*", "s3:List*")
OF_KEYS = ("kms:GenerateDataKey*", "kms:ReEncrypt*")


def acknowledge_artifacts(roles: IConstruct, artifacts: s3.IBucket) -> None:
    """Acknowledge on all `roles`: the artifacts' bucket and key, which every project and the pipeline use."""
    for action in OF_ARTIFACTS:
        acknowledge(
            roles, f"IAM5[Action::{action}]", "CDK's grant of the artifacts: variants of one verb, on one bucket"
        )
    for action in OF_KEYS:
        acknowledge(
            roles, f"IAM5[Action::{action}]", "CDK's grant of a key: variants of one verb, on the pipeline's keys"
        )
    objects = f"<{logical_id(artifacts)}.Arn>/*"
    acknowledge(roles, f"IAM5[Resource::{objects}]", "The objects of the artifacts' bucket: CodePipeline names them")


def acknowledge_steps(pipeline: cdk_pipelines.CodePipeline) -> None:
    """Acknowledge on the role of each project that the pipeline runs: its log, and the reports it might make."""
    stack = cdk.Stack.of(pipeline)
    for project in pipeline.node.find_all():
        if isinstance(project, codebuild.Project):
            acknowledge_log(project)
            reports = f"arn:aws:codebuild:{stack.region}:{stack.account}:report-group/<{logical_id(project)}>-*"
            acknowledge(_role(project), f"IAM5[Resource::{reports}]", "The report groups of the project's own name")


def acknowledge_log(project: codebuild.Project) -> None:
    """Acknowledge on the role of `project`: the log group of its own name, granted by CDK and not used."""
    stack = cdk.Stack.of(project)
    streams = f"arn:aws:logs:{stack.region}:{stack.account}:log-group:/aws/codebuild/<{logical_id(project)}>:*"
    acknowledge(_role(project), f"IAM5[Resource::{streams}]", "The streams of the log group of the project's own name")


def acknowledge_self_mutation(pipeline: cdk_pipelines.CodePipeline) -> None:
    """Acknowledge on the project that deploys the pipeline's own stack: the needs of `cdk deploy`."""
    project, tooling = pipeline.self_mutation_project, cdk.Stack.of(pipeline).account
    acknowledge(
        project,
        f"IAM5[Resource::arn:*:iam::{tooling}:role/*]",
        "Held by its condition to the roles that bootstrapping tagged for deployments",
    )
    acknowledge(
        project,
        "IAM5[Resource::*]",
        "`cdk deploy` reads the state of stacks and buckets before it assumes a deployment role",
    )


def acknowledge_support(pipeline: codepipeline.Pipeline) -> None:
    """Acknowledge on the pipeline's role and on the buckets that CDK makes for it in the other Regions."""
    if pipeline.cross_region_support:
        acknowledge(
            pipeline.role,
            "IAM5[Resource::*]",
            "CDK's grant of the other Regions' keys, which have no ARN before they exist",
        )
    for support in pipeline.cross_region_support.values():
        bucket = support.replication_bucket
        objects = f"{cdk.Stack.of(pipeline).resolve(bucket.bucket_arn)}/*"
        acknowledge(pipeline.role, f"IAM5[Resource::{objects}]", "What it copies to the Region it deploys to")
        acknowledge(
            bucket, "S1", "CDK's own bucket for assemblies on their way to a Region; all of them are in the artifacts"
        )


def _role(project: codebuild.Project) -> iam.IRole:
    assert project.role is not None  # only an imported project has none
    return project.role
