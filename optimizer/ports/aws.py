"""The port to AWS: typed clients of one account and Region, and the clock that goes with them.

Clients are made on first use and kept. botocore's standard retries are the only retries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserFactory

from domain.clock import Clock

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient


if TYPE_CHECKING:
    from types_boto3_autoscaling import AutoScalingClient
    from types_boto3_ce import CostExplorerClient
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_codebuild import CodeBuildClient
    from types_boto3_codepipeline import CodePipelineClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodbstreams import DynamoDBStreamsClient
    from types_boto3_ec2 import EC2Client
    from types_boto3_elasticache import ElastiCacheClient
    from types_boto3_elbv2 import ElasticLoadBalancingv2Client
    from types_boto3_events import EventBridgeClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_osis import OpenSearchIngestionClient
    from types_boto3_pipes import EventBridgePipesClient
    from types_boto3_pricing import PricingClient
    from types_boto3_rds import RDSClient
    from types_boto3_resourcegroupstaggingapi import ResourceGroupsTaggingAPIClient
    from types_boto3_s3 import S3Client
    from types_boto3_savingsplans import SavingsPlansClient
    from types_boto3_service_quotas import ServiceQuotasClient
    from types_boto3_sns import SNSClient
    from types_boto3_ssm import SSMClient
    from types_boto3_sts import STSClient

# Ten attempts ride out a throttled control plane; standard mode adds jitter and a retry quota.
RETRIES = Config(retries={"mode": "standard", "total_max_attempts": 10}, user_agent_extra="tap-optimizer")

# Cost Explorer, Price List and Savings Plans answer here for all Regions (AWS General Reference, "Service endpoints").
BILLING = "us-east-1"


@dataclass(frozen=True)
class Aws:
    """One account and Region, seen through one set of credentials."""

    session: boto3.Session
    account: str
    region: str
    clock: Clock
    elsewhere: dict[str, Aws] = field(default_factory=dict, compare=False, repr=False)

    def at(self, region: str) -> Aws:
        """The same account and credentials in another Region, with its clients kept as well."""
        if region == self.region:
            return self
        if region not in self.elsewhere:
            self.elsewhere[region] = replace(self, region=region)
        return self.elsewhere[region]

    @cached_property
    def partition(self) -> str:
        """The partition of the Region, as it stands in every ARN: aws, aws-cn, aws-us-gov and so on."""
        return self.session.get_partition_for_region(self.region)

    @cached_property
    def autoscaling(self) -> AutoScalingClient:
        return self.session.client("autoscaling", region_name=self.region, config=RETRIES)

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        return self.session.client("cloudformation", region_name=self.region, config=RETRIES)

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        return self.session.client("cloudwatch", region_name=self.region, config=RETRIES)

    @cached_property
    def metrics(self) -> CloudWatchClient:
        """CloudWatch, leaving timestamps as the seconds they come in.

        Making a datetime of each is nine tenths of botocore's work on a full answer. A client keeps
        the parser factory that its session had when it was made, so the usual one is put back at once.
        """
        session = self.session._session  # noqa: SLF001 -- boto3 shows its botocore session nowhere else
        usual = session.get_component("response_parser_factory")
        raw = ResponseParserFactory()
        raw.set_parser_defaults(timestamp_parser=lambda value: value)
        session.register_component("response_parser_factory", raw)
        try:
            return self.session.client("cloudwatch", region_name=self.region, config=RETRIES)
        finally:
            session.register_component("response_parser_factory", usual)

    @cached_property
    def codebuild(self) -> CodeBuildClient:
        return self.session.client("codebuild", region_name=self.region, config=RETRIES)

    @cached_property
    def codepipeline(self) -> CodePipelineClient:
        return self.session.client("codepipeline", region_name=self.region, config=RETRIES)

    @cached_property
    def cost_explorer(self) -> CostExplorerClient:
        return self.session.client("ce", region_name=BILLING, config=RETRIES)

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        return self.session.client("dynamodb", region_name=self.region, config=RETRIES)

    @cached_property
    def ec2(self) -> EC2Client:
        return self.session.client("ec2", region_name=self.region, config=RETRIES)

    @cached_property
    def elasticache(self) -> ElastiCacheClient:
        return self.session.client("elasticache", region_name=self.region, config=RETRIES)

    @cached_property
    def elbv2(self) -> ElasticLoadBalancingv2Client:
        return self.session.client("elbv2", region_name=self.region, config=RETRIES)

    @cached_property
    def lambda_(self) -> LambdaClient:
        return self.session.client("lambda", region_name=self.region, config=RETRIES)

    @cached_property
    def osis(self) -> OpenSearchIngestionClient:
        return self.session.client("osis", region_name=self.region, config=RETRIES)

    @cached_property
    def events(self) -> EventBridgeClient:
        return self.session.client("events", region_name=self.region, config=RETRIES)

    @cached_property
    def pipes(self) -> EventBridgePipesClient:
        return self.session.client("pipes", region_name=self.region, config=RETRIES)

    @cached_property
    def quotas(self) -> ServiceQuotasClient:
        return self.session.client("service-quotas", region_name=self.region, config=RETRIES)

    @cached_property
    def pricing(self) -> PricingClient:
        return self.session.client("pricing", region_name=BILLING, config=RETRIES)

    @cached_property
    def rds(self) -> RDSClient:
        return self.session.client("rds", region_name=self.region, config=RETRIES)

    @cached_property
    def tagging(self) -> ResourceGroupsTaggingAPIClient:
        return self.session.client("resourcegroupstaggingapi", region_name=self.region, config=RETRIES)

    @cached_property
    def s3(self) -> S3Client:
        return self.session.client("s3", region_name=self.region, config=RETRIES)

    @cached_property
    def savings_plans(self) -> SavingsPlansClient:
        return self.session.client("savingsplans", region_name=BILLING, config=RETRIES)

    @cached_property
    def sns(self) -> SNSClient:
        return self.session.client("sns", region_name=self.region, config=RETRIES)

    @cached_property
    def ssm(self) -> SSMClient:
        return self.session.client("ssm", region_name=self.region, config=RETRIES)

    @cached_property
    def ssm_once(self) -> SSMClient:
        """Parameter Store without retries: whoever calls it again asks first whether the lease is still held."""
        config = RETRIES.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
        return self.session.client("ssm", region_name=self.region, config=config)

    @cached_property
    def streams(self) -> DynamoDBStreamsClient:
        """DynamoDB Streams, at the Region's endpoint: that of the account answers for tables only."""
        config = RETRIES.merge(Config(account_id_endpoint_mode="disabled"))
        return self.session.client("dynamodbstreams", region_name=self.region, config=config)

    @cached_property
    def sts(self) -> STSClient:
        return self.session.client("sts", region_name=self.region, config=RETRIES)


def failed_conditions(error: ClientError) -> Sequence[str]:
    """Per item of a cancelled transaction, the code of its reason ("None" for the innocent ones)."""
    return [reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])]
