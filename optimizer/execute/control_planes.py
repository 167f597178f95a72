"""Whether AWS itself fails: an undo into a Region's event makes things worse, and no phase begins in one.

Each service that a phase changes gets one cheap call. An answer of the service's own trouble (5xx), or none at
all, counts as failing; a refusal or a throttled call does not. Launches that failed for want of capacity count as one
more. One service may have a bad minute, and one type may be sold out: two at once are an event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from botocore.exceptions import ClientError, HTTPClientError

from domain.errors import Unhealthy
from optimizer.ports.aws import Aws

AN_EVENT = 2  # services at once
LATELY = timedelta(minutes=15)

QUESTIONS: Mapping[str, Callable[[Aws], object]] = {
    "Auto Scaling": lambda aws: aws.autoscaling.describe_auto_scaling_groups(MaxRecords=1),
    "EC2": lambda aws: aws.ec2.describe_tags(MaxResults=5),
    "ElastiCache": lambda aws: aws.elasticache.describe_replication_groups(MaxRecords=20),
    "RDS": lambda aws: aws.rds.describe_db_clusters(MaxRecords=20),
    "Elastic Load Balancing": lambda aws: aws.elbv2.describe_load_balancers(PageSize=1),
}


def failing(aws: Aws) -> list[str]:
    """The services that answer nobody at the moment, each with what came instead."""
    services = []
    for name, ask in QUESTIONS.items():
        try:
            ask(aws)
        except HTTPClientError as error:
            services.append(f"{name} ({type(error).__name__})")
        except ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
                services.append(f"{name} ({error.response['Error'].get('Code')})")
    return [*services, *(["launches of instances (no capacity)"] if _launches_fail(aws) else [])]


def _launches_fail(aws: Aws) -> bool:
    """Whether EC2 had no capacity for an instance lately (EC2 Auto Scaling API, Activity)."""
    try:
        activities = aws.autoscaling.describe_scaling_activities(MaxRecords=20)["Activities"]
    except (HTTPClientError, ClientError):
        return False  # Auto Scaling itself is asked about above
    return any(
        each["StatusCode"] == "Failed"
        and "capacity" in each.get("StatusMessage", "")
        and aws.clock.now() - each["StartTime"] <= LATELY
        for each in activities
    )


def is_an_event(aws: Aws) -> bool:
    """Whether several control planes fail at once."""
    return len(failing(aws)) >= AN_EVENT


def require_aws(aws: Aws, what: str) -> None:
    """Raises Unhealthy when several control planes fail at once; `what` is held then."""
    if len(failed := failing(aws)) >= AN_EVENT:
        raise Unhealthy(
            f"{what}: AWS itself fails in {aws.region}: {', '.join(failed)}. Nothing is changed until it answers: "
            "see docs/runbook.md, AWS itself fails."
        )
