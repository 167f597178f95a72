"""The mechanics of Auto Scaling groups: instances that take time to come into service and to leave it.

moto's groups change at once, launch everything in one zone, and forget an instance's launch template
version. The overlay's operations use this module to change groups.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.autoscaling.models import InstanceState, autoscaling_backends

from emulator.core.errors import AwsError
from emulator.services.autoscaling.activities import Activities
from emulator.services.ec2.capacity_reservations import Reservations
from emulator.workload.workload import Sources

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

LAUNCH = timedelta(seconds=90)  # from the launch to InService; a Linux image without lifecycle hooks
AGAIN = timedelta(minutes=1)  # until a launch that found no capacity is tried again
DRAIN = timedelta(seconds=300)  # the deregistration delay of a target group unless set otherwise


class FleetInstance(InstanceState):  # type: ignore[misc]  # moto publishes no types
    """An instance with the id and version of its launch template."""

    made_from: dict[str, str]
    serves_since: datetime | None = None

    @property
    def launch_template(self) -> dict[str, str]:
        return self.made_from


def find_group(call: Call) -> Any:
    """The group that the call names. Raises AwsError when there is none."""
    name = call.parameters["AutoScalingGroupName"]
    group = autoscaling_backends[call.account][call.region].autoscaling_groups.get(name)
    if group is None:
        raise AwsError("ValidationError", "AutoScalingGroup name not found - null")
    return group


def serving(group: Any) -> list[Any]:
    """The instances in service or pending, oldest first."""
    return [each for each in group.instance_states if each.lifecycle_state in ("Pending", "InService")]


def suspended(group: Any, *processes: str) -> bool:
    """Whether any of these processes is suspended."""
    return any(each["ProcessName"] in processes for each in group.suspended_processes)


def current_template(group: Any) -> dict[str, str]:
    """The launch template and version that the group launches from, with the version as a number.

    Empty for a group with a launch configuration, which has no versions.
    """
    if group.launch_config is not None:
        return {}
    return resolve_template(group, {"Version": group.launch_template_version})


def resolve_template(group: Any, wanted: dict[str, str]) -> dict[str, str]:
    """A launch template specification with id, name and the number of an existing version. AwsError if absent."""
    ec2 = group.ec2_backend
    identifier, name = wanted.get("LaunchTemplateId"), wanted.get("LaunchTemplateName")
    if identifier or name:
        template = ec2.launch_templates.get(identifier or ec2.launch_template_name_to_ids.get(name))
    else:
        template = group.ec2_launch_template
    if template is None:
        raise AwsError("ValidationError", "You must use a valid fully-formed launch template. It does not exist.")
    version = str(wanted.get("Version") or "$Default")
    number = {"$default": template.default_version_number, "$latest": template.latest_version_number}.get(
        version.lower(), version
    )
    if not str(number).isdigit() or not 1 <= int(number) <= len(template.versions):
        raise AwsError(
            "ValidationError",
            "You must use a valid fully-formed launch template. "
            f"Could not find launch template version {version} of {template.id}.",
        )
    return {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "Version": str(number)}


def launch(account: Account, group: Any, count: int, template: dict[str, str]) -> list[Any]:
    """Launch instances, each in the zone that has the fewest; they are Pending, and InService after LAUNCH."""
    launched = [_launch_one(group, template) for _ in range(count)]

    def come_into_service() -> None:
        for each in launched:
            if each.lifecycle_state == "Pending":
                each.lifecycle_state, each.serves_since = "InService", account.clock.now()
        group.autoscaling_backend.update_attached_target_groups(group.name)

    if launched:
        account.schedule(account.clock.now() + LAUNCH, come_into_service)
    return launched


def _launched_from(group: Any, template: dict[str, str]) -> Any:
    """The version of the launch template, or the launch configuration of a group that has none."""
    if not template:
        return group.launch_config
    return group.ec2_backend.launch_templates[template["LaunchTemplateId"]].get_version(template["Version"])


def _launch_one(group: Any, template: dict[str, str]) -> Any:
    data = _launched_from(group, template)
    tags = data.instance_tags if template else {}
    subnet, zone = _emptiest(group)
    reservation = group.ec2_backend.run_instances(
        data.image_id,
        1,
        data.user_data,
        data.security_groups,
        instance_type=data.instance_type,
        tags={"instance": {"aws:autoscaling:groupName": group.name, **group.get_propagated_tags(), **tags}},
        placement=zone,
        launch_template={key: template[key] for key in ("LaunchTemplateId", "Version") if template},
        is_instance_type_default=False,
        subnet_id=subnet,
    )
    instance = reservation.instances[0]
    instance.autoscaling_group = group
    state = FleetInstance(
        instance,
        lifecycle_state="Pending",
        protected_from_scale_in=group.new_instances_protected_from_scale_in,
    )
    state.made_from = dict(template)
    group.instance_states.append(state)
    return state


def _emptiest(group: Any) -> tuple[str | None, str]:
    """The subnet and zone with the fewest instances; the first if several are equal."""
    taken = Counter(each.availability_zone for each in serving(group))
    if not group.vpc_zone_identifier:
        return None, min(group.availability_zones, key=lambda zone: taken[zone])
    subnets = group.ec2_backend.describe_subnets(subnet_ids=group.vpc_zone_identifier.split(","))
    chosen = min(subnets, key=lambda subnet: taken[subnet.availability_zone])
    return chosen.id, chosen.availability_zone


def retire(account: Account, group: Any, leaving: Sequence[Any], then: Callable[[], None] | None = None) -> None:
    """Take instances out of service: no new requests from now on, gone after DRAIN; `then` runs after that.

    Instances that are leaving already, for example after a failed health check, are not touched.
    """
    leaving = [each for each in leaving if each.lifecycle_state != "Terminating"]
    for each in leaving:
        each.lifecycle_state = "Terminating"
    for arn in group.target_group_arns:
        group.autoscaling_backend.elbv2_backend.deregister_targets(arn, [{"Id": each.instance_id} for each in leaving])

    def end() -> None:
        gone = {each.instance_id for each in leaving}
        group.ec2_backend.terminate_instances(sorted(gone))
        group.instance_states = [each for each in group.instance_states if each.instance_id not in gone]
        if then is not None:
            then()

    account.schedule(account.clock.now() + DRAIN, end)


def is_short(account: Account, group: Any, template: dict[str, str]) -> bool:
    """Whether AWS has no capacity of the template's type for an account without a capacity reservation."""
    kind, workload = type_of(group, template), account.part(Sources).workload
    reserved = account.part(Reservations).active(kind)
    return workload is not None and not reserved and workload.lacks(kind, account.clock.now())


def type_of(group: Any, template: dict[str, str]) -> str:
    """The instance type that a version of the template launches."""
    return str(_launched_from(group, template).instance_type)


def settle(account: Account, group: Any, template: dict[str, str]) -> None:
    """Bring the number of instances to the desired capacity, as a group does by itself."""
    missing = group.desired_capacity - len(serving(group))
    if missing > 0 and not suspended(group, "Launch"):
        if is_short(account, group, template):
            account.part(Activities).launch_failed(account, group, type_of(group, template))
            account.schedule(account.clock.now() + AGAIN, lambda: settle(account, group, template))
        else:
            launch(account, group, missing, template)
    elif missing < 0 and not suspended(group, "Terminate"):
        leaving = _surplus(group, -missing)
        if leaving:
            retire(account, group, leaving)


def _surplus(group: Any, count: int) -> list[Any]:
    """The default termination policy's choice: in the fullest zone, of the oldest template, the oldest instances."""
    chosen: list[Any] = []
    for _ in range(count):
        left = [each for each in serving(group) if each not in chosen]
        zones = Counter(each.availability_zone for each in left)
        candidates = [each for each in left if not each.protected_from_scale_in]
        if not candidates:
            break
        chosen.append(
            min(
                candidates,
                key=lambda each: (-zones[each.availability_zone], int(each.launch_template["Version"])),
            )
        )
    return chosen
