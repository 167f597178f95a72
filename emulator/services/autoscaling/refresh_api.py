"""Amazon EC2 Auto Scaling: starting, watching, cancelling and rolling back an instance refresh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.autoscaling.groups import current_template, find_group, resolve_template
from emulator.services.autoscaling.instance_refresh import Refresh, Refreshes, Replacement

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

API = "https://docs.aws.amazon.com/autoscaling/ec2/APIReference"
GUIDE = "https://docs.aws.amazon.com/autoscaling/ec2/userguide"


@emulates(
    "autoscaling",
    "StartInstanceRefresh",
    rule="One refresh at a time; it replaces in batches within the healthy percentages, with warm-up and drain; the "
    "group takes over the desired configuration only on success.",
    source=f"{API}/API_StartInstanceRefresh.html",
)
def start(account: Account, call: Call) -> Answer:
    group = find_group(call)
    refreshes = account.part(Refreshes)
    if refreshes.active(group) is not None:
        raise AwsError(
            "InstanceRefreshInProgress",
            "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
        )
    if call.parameters.get("Strategy", "Rolling") != "Rolling":
        raise NotImplementedError("an instance refresh by ReplaceRootVolume is not emulated")
    preferences = dict(call.parameters.get("Preferences", {}))
    requested = call.parameters.get("DesiredConfiguration")
    _refuse_preferences(preferences)
    desired = _desired_template(group, requested)
    if preferences.get("AutoRollback") and (why := _irreversible(group, requested)):
        raise AwsError("ValidationError", f"AutoRollback cannot be enabled: {why}")
    refresh = Refresh(
        id=account.identifier(),
        group=group,
        account=call.account,
        region=call.region,
        preferences=preferences,
        before=current_template(group),
        desired=desired,
        requested=dict(requested) if requested else None,
        started=account.clock.now(),
    )
    refreshes.of(group).append(refresh)
    refreshes.drivers[refresh.id] = Replacement(account, refresh)
    refreshes.drivers[refresh.id].begin()
    return {"InstanceRefreshId": refresh.id}


@emulates(
    "autoscaling",
    "DescribeInstanceRefreshes",
    rule="Newest first, with status, percentage and instances left to replace; ended refreshes stay visible.",
    source=f"{API}/API_DescribeInstanceRefreshes.html",
)
def describe(account: Account, call: Call) -> Answer:
    wanted = call.parameters.get("InstanceRefreshIds")
    known = account.part(Refreshes).of(find_group(call))
    found = [each for each in reversed(known) if not wanted or each.id in wanted]
    return {"InstanceRefreshes": [_show(each) for each in found[: call.parameters.get("MaxRecords", 50)]]}


@emulates(
    "autoscaling",
    "CancelInstanceRefresh",
    rule="Works only while one is under way; replaced instances stay, and the group keeps its old configuration.",
    source=f"{API}/API_CancelInstanceRefresh.html",
)
def cancel(account: Account, call: Call) -> Answer:
    refresh = _active(account, call)
    if refresh.status != "Cancelling":
        account.part(Refreshes).drivers[refresh.id].cancel()
    return {"InstanceRefreshId": refresh.id}


@emulates(
    "autoscaling",
    "RollbackInstanceRefresh",
    rule="Works only while one is under way, with a desired configuration, without $Latest, $Default or an SSM image.",
    source=f"{GUIDE}/instance-refresh-rollback.html",
)
def roll_back(account: Account, call: Call) -> Answer:
    refresh = _active(account, call)
    if refresh.status not in ("Pending", "InProgress", "Baking"):
        raise AwsError("ActiveInstanceRefreshNotFound", "No in progress Instance Refresh can be rolled back.")
    if why := _irreversible(refresh.group, refresh.requested):
        raise AwsError("IrreversibleInstanceRefresh", why)
    account.part(Refreshes).drivers[refresh.id].roll_back("Rollback requested by a user.")
    return {"InstanceRefreshId": refresh.id}


def _active(account: Account, call: Call) -> Refresh:
    refresh = account.part(Refreshes).active(find_group(call))
    if refresh is None:
        raise AwsError(
            "ActiveInstanceRefreshNotFound",
            f"No in progress or pending Instance Refresh found for Auto Scaling group "
            f"{call.parameters['AutoScalingGroupName']}",
        )
    return refresh


def _desired_template(group: Any, requested: Any) -> dict[str, str] | None:
    if not requested:
        return None
    if "MixedInstancesPolicy" in requested:
        raise NotImplementedError("an instance refresh to a mixed instances policy is not emulated")
    if "LaunchTemplate" not in requested:
        raise AwsError("ValidationError", "DesiredConfiguration needs a LaunchTemplate or a MixedInstancesPolicy.")
    return resolve_template(group, requested["LaunchTemplate"])


def _irreversible(group: Any, requested: Any) -> str | None:
    """The reason why a refresh of this group cannot be rolled back; None if it can."""
    if not requested:
        return "there is no desired configuration."
    versions = [str(group.launch_template_version), str(requested["LaunchTemplate"].get("Version") or "$Default")]
    if any(version.startswith("$") for version in versions):
        return "the group uses the launch template's $Latest or $Default version."
    if group.image_id.startswith("resolve:ssm:"):
        return "the launch template uses a Systems Manager parameter instead of an AMI ID."
    return None


def _refuse_preferences(preferences: dict[str, Any]) -> None:
    """Apply the rules of RefreshPreferences that botocore's model does not have."""
    percentages = preferences.get("CheckpointPercentages", [])
    least, most = preferences.get("MinHealthyPercentage"), preferences.get("MaxHealthyPercentage")
    refused = {
        "CheckpointDelay needs CheckpointPercentages.": "CheckpointDelay" in preferences and not percentages,
        "CheckpointPercentages must rise.": list(percentages) != sorted(set(percentages)),
        "MaxHealthyPercentage needs MinHealthyPercentage.": most is not None and least is None,
        "MinHealthyPercentage and MaxHealthyPercentage differ by 100 at most.": (most or 0) - (least or 0) > 100,
        "MaxHealthyPercentage is from 100 to 200.": most is not None and not 100 <= most <= 200,
        "MinHealthyPercentage is from 0 to 100.": least is not None and not 0 <= least <= 100,
        "At most 10 alarms.": len(preferences.get("AlarmSpecification", {}).get("Alarms", [])) > 10,
        "BakeTime is at most 172800.": preferences.get("BakeTime", 0) > 172_800,
    }
    for why, broken in refused.items():
        if broken:
            raise AwsError("ValidationError", why)


def _show(refresh: Refresh) -> dict[str, Any]:
    shown = {
        "InstanceRefreshId": refresh.id,
        "AutoScalingGroupName": refresh.group.name,
        "Status": refresh.status,
        "StatusReason": refresh.reason,
        "StartTime": refresh.started if refresh.status != "Pending" else None,
        "EndTime": refresh.ended,
        "PercentageComplete": refresh.percent,
        "InstancesToUpdate": len(refresh.outdated()) if refresh.active else 0,
        "Preferences": refresh.preferences,
        "DesiredConfiguration": refresh.requested,
        "RollbackDetails": refresh.rollback,
        "Strategy": "Rolling",
    }
    return {name: value for name, value in shown.items() if value is not None}
