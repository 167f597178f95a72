"""A canary that requests a page every minute, so that quiet nights have data too."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_synthetics as synthetics
from constructs import Construct

from stages.acknowledged import acknowledge, logical_id
from stages.governed import mark_part

NAME = "tap-visitor"
LOG_GROUP = f"/aws/lambda/cwsyn-{NAME}"
SCRIPT = """
const { URL } = require('url');
const synthetics = require('Synthetics');
const pages = ['/health', '/api/health', '/auth/health'];
exports.handler = async () => {
  for (const page of pages) {
    const url = new URL(`https://${process.env.DOMAIN}${page}`);
    await synthetics.executeHttpStep(`GET ${page}`, {
      hostname: url.hostname, method: 'GET', path: url.pathname, port: 443, protocol: 'https:',
    });
  }
};
"""


class Visitor(Construct):
    """The canary `tap-visitor`; its script is inline, so that nothing has to be published for it."""

    def __init__(self, scope: Construct, id: str, *, domain: str, access_logs: s3.IBucket, log_key: kms.IKey) -> None:
        super().__init__(scope, id)
        self.results = self._results(access_logs)
        role = self._role()
        self.canary = synthetics.Canary(
            self,
            "Canary",
            canary_name=NAME,
            role=role,
            runtime=synthetics.Runtime.SYNTHETICS_NODEJS_PUPPETEER_13_0,
            test=synthetics.Test.custom(code=synthetics.Code.from_inline(SCRIPT), handler="index.handler"),
            schedule=synthetics.Schedule.rate(cdk.Duration.minutes(1)),
            environment_variables={"DOMAIN": domain},
            timeout=cdk.Duration.seconds(30),
            artifacts_bucket_location=synthetics.ArtifactsBucketLocation(bucket=self.results),
            success_retention_period=cdk.Duration.days(7),
            failure_retention_period=cdk.Duration.days(31),
        )
        self.canary.node.add_dependency(role)  # and its policy: the canary's first run is at its creation
        self._log(log_key)
        mark_part(self, "telemetry")

    def _results(self, access_logs: s3.IBucket) -> s3.Bucket:
        """Results of the canary's runs, kept for a month."""
        return s3.Bucket(
            self,
            "Results",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            versioned=True,
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix="visitor/",
            lifecycle_rules=[
                s3.LifecycleRule(expiration=cdk.Duration.days(31), noncurrent_version_expiration=cdk.Duration.days(1))
            ],
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )

    def _role(self) -> iam.Role:
        """The role that Synthetics requires for a canary, without the right to make the log group: that is in `_log`.

        CloudWatch user guide, "Required roles and permissions for canaries".
        """
        stack = cdk.Stack.of(self)
        log = f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:{LOG_GROUP}-*"
        role = iam.Role(
            self,
            "Role",
            description="The canary that visits the platform",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        )
        objects = self.results.arn_for_objects("*")
        for actions, resource in (
            (["s3:PutObject"], objects),
            (["s3:GetBucketLocation"], self.results.bucket_arn),
            (["s3:ListAllMyBuckets"], "*"),
            (["logs:CreateLogStream", "logs:PutLogEvents"], log),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["cloudwatch:PutMetricData"],
                resources=["*"],
                conditions={"StringEquals": {"cloudwatch:namespace": "CloudWatchSynthetics"}},
            )
        )
        acknowledge(
            role, f"IAM5[Resource::<{logical_id(self.results)}.Arn>/*]", "Synthetics names the results it keeps"
        )
        acknowledge(role, f"IAM5[Resource::{log}]", "Synthetics completes the name of its function with an id")
        acknowledge(
            role,
            "IAM5[Resource::*]",
            "Metrics and the list of buckets take no resource; a condition holds the metrics to their namespace",
        )
        return role

    def _log(self, log_key: kms.IKey) -> None:
        """The log group of the canary's function, named by its id; Lambda would make it without retention."""
        logs.LogGroup(
            self,
            "Log",
            log_group_name=f"{LOG_GROUP}-{self.canary.canary_id}",
            retention=logs.RetentionDays.THREE_MONTHS,
            encryption_key=log_key,
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
