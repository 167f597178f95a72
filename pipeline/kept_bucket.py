"""A bucket for the files of plans: encrypted, private, versioned, and kept when the stack is deleted."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

KEPT = cdk.Duration.days(400)  # longer than a plan can last (three gates of 14 days, retried)


def kept_bucket(
    scope: Construct,
    id: str,
    *,
    key: kms.IKey,
    access_logs: s3.IBucket,
    logged_under: str | None = None,
    superseded: cdk.Duration,
) -> s3.Bucket:
    """Objects are kept for `KEPT`, and for `superseded` after a newer version replaced them."""
    return s3.Bucket(
        scope,
        id,
        encryption=s3.BucketEncryption.KMS,
        encryption_key=key,
        bucket_key_enabled=True,
        enforce_ssl=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        versioned=True,
        server_access_logs_bucket=access_logs,
        server_access_logs_prefix=logged_under,
        lifecycle_rules=[s3.LifecycleRule(expiration=KEPT, noncurrent_version_expiration=superseded)],
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
