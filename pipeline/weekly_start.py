"""A weekly start of the pipeline without a push: a plan appears when the 60th day of metrics has come."""

from __future__ import annotations

from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as events_targets
from constructs import Construct


class WeeklyStart(Construct):
    """The rule `tap-weekly`: on Monday, so that a first phase can begin before the calendar closes on Wednesday."""

    def __init__(self, scope: Construct, id: str, *, pipeline: codepipeline.IPipeline) -> None:
        super().__init__(scope, id)
        events.Rule(
            self,
            "Monday",
            rule_name="tap-weekly",
            description="Release the newest commit again: propose a plan once there is enough to propose it from",
            schedule=events.Schedule.cron(week_day="MON", hour="6", minute="0"),
            targets=[events_targets.CodePipeline(pipeline)],
        )
