"""A visitor of our own: a canary that asks for a page every minute, so that quiet nights have data too."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_synthetics as synthetics
from constructs import Construct

from stages.acknowledged import acknowledge
from stages.governed import mark_part

NAME = "tap-visitor"
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

    def __init__(self, scope: Construct, id: str, *, domain: str, access_logs: s3.IBucket) -> None:
        super().__init__(scope, id)
        self.results = self._results(access_logs)
        self.canary = synthetics.Canary(
            self,
            "Canary",
            canary_name=NAME,
            runtime=synthetics.Runtime.SYNTHETICS_NODEJS_PUPPETEER_13_0,
            test=synthetics.Test.custom(code=synthetics.Code.from_inline(SCRIPT), handler="index.handler"),
            schedule=synthetics.Schedule.rate(cdk.Duration.minutes(1)),
            environment_variables={"DOMAIN": domain},
            timeout=cdk.Duration.seconds(30),
            artifacts_bucket_location=synthetics.ArtifactsBucketLocation(bucket=self.results),
            success_retention_period=cdk.Duration.days(7),
            failure_retention_period=cdk.Duration.days(31),
        )
        self._acknowledge()
        mark_part(self, "telemetry")

    def _results(self, access_logs: s3.IBucket) -> s3.Bucket:
        """What the visitor saw, for a month."""
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

    def _acknowledge(self) -> None:
        stack = cdk.Stack.of(self)
        bucket = self.results.node.default_child
        assert isinstance(bucket, s3.CfnBucket)  # what the L2 is made of
        results = stack.get_logical_id(bucket)
        for wildcard in (
            "*",
            f"<{results}.Arn>/*",
            f"arn:aws:logs:{stack.region}:{stack.account}:log-group:/aws/lambda/cwsyn-*",
        ):
            reason = "What Synthetics wants of a canary's role (CloudWatch user guide, required roles)"
            acknowledge(self.canary, f"IAM5[Resource::{wildcard}]", reason)
