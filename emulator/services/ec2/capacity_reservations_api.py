"""Amazon EC2: On-Demand Capacity Reservations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moto.ec2.models import ec2_backends

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.ec2.capacity_reservations import Reservations
from emulator.workload.workload import Sources

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

_API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference"


@emulates(
    "ec2",
    "CreateCapacityReservation",
    rule="Reserved from now on in one zone; an open reservation takes in running instances of its type, and needs "
    "capacity for the rest. A repeated client token returns the first answer, even after a cancellation.",
    source=f"{_API}/API_CreateCapacityReservation.html",
)
def create_capacity_reservation(account: Account, call: Call) -> Answer:
    asked = call.parameters
    by_token = account.part(Reservations).by_token
    if (token := asked.get("ClientToken")) in by_token:
        return {"CapacityReservation": by_token[token]}
    if "AvailabilityZone" not in asked:
        raise AwsError("MissingParameter", "The request must contain the parameter AvailabilityZone.")
    kind, zone, count = asked["InstanceType"], asked["AvailabilityZone"], int(asked["InstanceCount"])
    running = _running(call, kind, zone) if asked.get("InstanceMatchCriteria", "open") == "open" else 0
    workload = account.part(Sources).workload
    if count > running and workload is not None and workload.lacks(kind, account.clock.now()):
        raise AwsError("InsufficientInstanceCapacity", f"There is not enough capacity for {kind} in {zone}.", 500)
    identifier = f"cr-{account.identifier().replace('-', '')[:17]}"
    tags = [tag for each in asked.get("TagSpecifications", ()) for tag in each.get("Tags", ())]
    made = {
        "CapacityReservationId": identifier,
        "OwnerId": call.account,
        "CapacityReservationArn": f"arn:aws:ec2:{call.region}:{call.account}:capacity-reservation/{identifier}",
        "InstanceType": kind,
        "InstancePlatform": asked["InstancePlatform"],
        "AvailabilityZone": zone,
        "Tenancy": asked.get("Tenancy", "default"),
        "TotalInstanceCount": count,
        "AvailableInstanceCount": max(0, count - running),
        "State": "active",
        "StartDate": account.clock.now(),
        "CreateDate": account.clock.now(),
        "EndDateType": asked.get("EndDateType", "unlimited"),
        "InstanceMatchCriteria": asked.get("InstanceMatchCriteria", "open"),
        "Tags": tags,
    }
    account.part(Reservations).of(call).append(made)
    if token:
        by_token[token] = made
    return {"CapacityReservation": made}


@emulates(
    "ec2",
    "DescribeCapacityReservations",
    rule="Cancelled ones stay visible; filtered by state, type, zone and tag.",
    source=f"{_API}/API_DescribeCapacityReservations.html",
)
def describe_capacity_reservations(account: Account, call: Call) -> Answer:
    found = [
        {**each, "AvailableInstanceCount": _available(call, each)}
        for each in account.part(Reservations).of(call)
        if all(_matches(each, wanted) for wanted in call.parameters.get("Filters", ()))
    ]
    return {"CapacityReservations": found}


@emulates(
    "ec2",
    "CancelCapacityReservation",
    rule="Works only for an active one; its instances go on running.",
    source=f"{_API}/API_CancelCapacityReservation.html",
)
def cancel_capacity_reservation(account: Account, call: Call) -> Answer:
    wanted = call.parameters["CapacityReservationId"]
    for each in account.part(Reservations).of(call):
        if each["CapacityReservationId"] == wanted and each["State"] == "active":
            each["State"] = "cancelled"
            return {"Return": True}
    raise AwsError("InvalidCapacityReservationId.NotFound", f"The capacity reservation {wanted} is not active.")


def _available(call: Call, reservation: Mapping[str, Any]) -> int:
    if reservation["State"] != "active":
        return 0
    running = _running(call, reservation["InstanceType"], reservation["AvailabilityZone"])
    return int(max(0, reservation["TotalInstanceCount"] - running))


def _running(call: Call, kind: str, zone: str) -> int:
    return sum(
        each.instance_type == kind and each.placement.zone == zone
        for each in ec2_backends[call.account][call.region].all_running_instances()
    )


def _matches(reservation: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    name, values = wanted["Name"], wanted["Values"]
    if name.startswith("tag:"):
        return any(tag["Key"] == name[4:] and tag["Value"] in values for tag in reservation["Tags"])
    field_of = {"state": "State", "instance-type": "InstanceType", "availability-zone": "AvailabilityZone"}
    if name not in field_of:
        raise NotImplementedError(f"capacity reservations by {name} are not emulated")
    return reservation[field_of[name]] in values
