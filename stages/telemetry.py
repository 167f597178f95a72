"""What watches the platform: alarms and the topic they go to."""

from __future__ import annotations

from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from stages.governed import mark_part


class Telemetry(Construct):
    """The encrypted topic `tap-alarms`, with a person behind it."""

    def __init__(self, scope: Construct, id: str, *, key: kms.IKey, notify: str) -> None:
        super().__init__(scope, id)
        self.topic = sns.Topic(self, "Alarms", topic_name="tap-alarms", master_key=key, enforce_ssl=True)
        self.topic.add_subscription(subscriptions.EmailSubscription(notify))
        mark_part(self, "telemetry")
