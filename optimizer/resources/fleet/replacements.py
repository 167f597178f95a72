"""The instances that a group replaced because they failed their health checks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from optimizer.ports.aws import Aws

# "At ... an instance was taken out of service in response to an ELB system health check failure", "... to a user
# health-check" (EC2 Auto Scaling User Guide, "View the reason for health check failures").
_FAILED = ("health check", "health-check")
_NOT_BY_LOAD = "terminated or stopped"  # somebody stopped it, or its host went


def replaced_since(aws: Aws, group: str, since: datetime) -> Iterator[datetime]:
    """When each instance was taken out of service for a failed health check, newest first."""
    pages = aws.autoscaling.get_paginator("describe_scaling_activities").paginate(AutoScalingGroupName=group)
    for activity in (each for page in pages for each in page["Activities"]):
        if activity["StartTime"] < since:
            return
        cause = activity.get("Cause", "")
        terminating = activity.get("Description", "").startswith("Terminating")
        if terminating and any(each in cause for each in _FAILED) and _NOT_BY_LOAD not in cause:
            yield activity["StartTime"]
