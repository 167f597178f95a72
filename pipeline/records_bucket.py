"""The bucket beside the journal: pages and exports of every plan, and the code that applied it."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from pipeline.kept_bucket import KEPT, kept_bucket
from stages.acknowledged import acknowledge, logical_id

PLANS, VERSIONS = "plans/", "versions/"


class Records(Construct):
    """One versioned bucket. Under `plans/` dashboards and exports, under `versions/` archives by their hash.

    No job may delete from it: replaced files stay as older versions.
    """

    def __init__(self, scope: Construct, id: str, *, key: kms.IKey, access_logs: s3.IBucket) -> None:
        super().__init__(scope, id)
        self._key = key
        self.bucket = kept_bucket(
            self, "Bucket", key=key, access_logs=access_logs, logged_under="records/", superseded=KEPT
        )

    def reading_plans(self) -> list[iam.PolicyStatement]:
        """Statements for people: open the pages that a gate links to, in the console.

        The console lists before it opens, and the objects are encrypted: reading also needs the key, here
        only through S3, since the key protects more than plans.
        """
        via_s3 = {"StringEquals": {"kms:ViaService": f"s3.{cdk.Stack.of(self).region}.amazonaws.com"}}
        below = {"StringLike": {"s3:prefix": f"{PLANS}*"}}
        objects = self.bucket.arn_for_objects(f"{PLANS}*")
        return [
            iam.PolicyStatement(actions=["s3:ListBucket"], resources=[self.bucket.bucket_arn], conditions=below),
            iam.PolicyStatement(actions=["s3:GetObject", "s3:GetObjectVersion"], resources=[objects]),
            iam.PolicyStatement(actions=["kms:Decrypt"], resources=[self._key.key_arn], conditions=via_s3),
        ]

    def acknowledge_reading(self, policy: iam.ManagedPolicy) -> None:
        """Acknowledge the wildcards on a policy with `reading_plans`."""
        self._acknowledge(policy, PLANS, "People read every plan: each is filed under its hash")

    def grant_publish(self, role: iam.Role) -> None:
        """Grant writing of a plan's pages and exports."""
        self._grant(role, PLANS, "s3:PutObject", "Plans are filed under their hash, which is known later")
        self._key.grant_encrypt_decrypt(role)

    def grant_keep(self, role: iam.Role) -> None:
        """Grant writing of an archive of code."""
        self._grant(role, VERSIONS, "s3:PutObject", "Archives are filed under their hash, which is known later")
        self._key.grant_encrypt_decrypt(role)

    def grant_fetch(self, role: iam.Role) -> None:
        """Grant reading of an archive of code."""
        self._grant(role, VERSIONS, "s3:GetObject", "Archives are filed under their hash, which is known later")
        self._key.grant_decrypt(role)

    def _grant(self, role: iam.Role, prefix: str, action: str, reason: str) -> None:
        role.add_to_policy(iam.PolicyStatement(actions=[action], resources=[self.bucket.arn_for_objects(f"{prefix}*")]))
        self._acknowledge(role, prefix, reason)

    def _acknowledge(self, holder: Construct, prefix: str, reason: str) -> None:
        acknowledge(holder, f"IAM5[Resource::<{logical_id(self.bucket)}.Arn>/{prefix}*]", reason)
