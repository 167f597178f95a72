"""The bucket beside the journal: what every plan looked like, and the code that applied it."""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from pipeline.kept_bucket import KEPT, kept_bucket
from stages.acknowledged import acknowledge, logical_id

PLANS, VERSIONS = "plans/", "versions/"


class Records(Construct):
    """One versioned bucket. Under `plans/` dashboards and exports, under `versions/` archives by their hash.

    No job may delete from it: what was published stays in its older versions.
    """

    def __init__(self, scope: Construct, id: str, *, key: kms.IKey, access_logs: s3.IBucket) -> None:
        super().__init__(scope, id)
        self._key = key
        self.bucket = kept_bucket(
            self, "Bucket", key=key, access_logs=access_logs, logged_under="records/", superseded=KEPT
        )

    def grant_publish(self, role: iam.Role) -> None:
        """Write what a plan looks like."""
        self._grant(role, PLANS, "s3:PutObject", "Plans are filed under their hash, which is known later")
        self._key.grant_encrypt_decrypt(role)

    def grant_keep(self, role: iam.Role) -> None:
        """Write an archive of code."""
        self._grant(role, VERSIONS, "s3:PutObject", "Archives are filed under their hash, which is known later")
        self._key.grant_encrypt_decrypt(role)

    def grant_fetch(self, role: iam.Role) -> None:
        """Read an archive of code."""
        self._grant(role, VERSIONS, "s3:GetObject", "Archives are filed under their hash, which is known later")
        self._key.grant_decrypt(role)

    def _grant(self, role: iam.Role, prefix: str, action: str, reason: str) -> None:
        role.add_to_policy(iam.PolicyStatement(actions=[action], resources=[self.bucket.arn_for_objects(f"{prefix}*")]))
        acknowledge(role, f"IAM5[Resource::<{logical_id(self.bucket)}.Arn>/{prefix}*]", reason)
