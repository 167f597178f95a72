"""Scaling activities: terminations of instances that failed their health checks, and launches that failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emulator.core.registry import Answer, emulates

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

_PAGE = 100


@dataclass
class Activities:
    """Activities by group name, oldest first."""

    of_group: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def taken_out(self, account: Account, group: Any, instance: str) -> None:
        """Record an instance that failed the load balancer's health check."""
        at = f"{account.clock.now():%Y-%m-%dT%H:%M:%SZ}"
        self._add(
            account,
            group,
            Description=f"Terminating EC2 instance: {instance}",
            Cause=f"At {at} an instance was taken out of service in response to an ELB system health check failure.",
            StatusCode="InProgress",
            Progress=0,
        )

    def launch_failed(self, account: Account, group: Any, instance_type: str) -> None:
        """Record a launch without capacity (EC2 Auto Scaling User Guide, "Troubleshoot ... capacity")."""
        at = f"{account.clock.now():%Y-%m-%dT%H:%M:%SZ}"
        why = f"We currently do not have sufficient {instance_type} capacity. Launching EC2 instance failed."
        self._add(
            account,
            group,
            Description=f"Launching a new EC2 instance.  Status Reason: {why}",
            Cause=f"At {at} an instance was started in response to a difference between desired and actual capacity.",
            StatusCode="Failed",
            StatusMessage=why,
            Progress=100,
        )

    def _add(self, account: Account, group: Any, **told: Any) -> None:
        kept = self.of_group.setdefault(group.name, [])
        kept.append(
            {
                "ActivityId": account.identifier(),
                "AutoScalingGroupName": group.name,
                "AutoScalingGroupARN": group.arn,
                "StartTime": account.clock.now(),
                **told,
            }
        )


@emulates(
    "autoscaling",
    "DescribeScalingActivities",
    rule="Newest first, 100 a page. An instance that failed a health check is terminated, with the cause, while its "
    "replacement is launched. A launch without capacity fails, with the reason. Other activities are not recorded.",
    source="https://docs.aws.amazon.com/autoscaling/ec2/userguide/replace-unhealthy-instance.html",
)
def describe_scaling_activities(account: Account, call: Call) -> Answer:
    known = account.part(Activities).of_group
    asked = call.parameters.get("AutoScalingGroupName")
    found = [each for name, all_of in known.items() if asked in (None, name) for each in all_of]
    found.sort(key=lambda each: each["StartTime"], reverse=True)
    first, most = int(call.parameters.get("NextToken") or 0), min(call.parameters.get("MaxRecords") or _PAGE, _PAGE)
    answer: dict[str, Any] = {"Activities": found[first : first + most]}
    if len(found) > first + most:
        answer["NextToken"] = str(first + most)
    return answer
