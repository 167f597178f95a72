"""On-Demand capacity that is held for the way back while a phase is observed.

Amazon EC2 User Guide, "On-Demand Capacity Reservations": an open reservation takes running instances of
its kind in, so it holds their capacity from the moment they go. It costs what the instances would, used
or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optimizer.model.fingerprint import fingerprint
from optimizer.model.resource import Touched
from optimizer.ports.aws import Aws
from optimizer.resources.tags import flat, known

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import CapacityReservationTypeDef

TAG = "tap:held-for"


@dataclass(frozen=True)
class CapacityReservation:
    """So many instances of a type in each zone, found by its tag. `made_for` tells it from any other."""

    instance_type: str
    by_zone: Mapping[str, int]
    made_for: str

    def is_held(self, aws: Aws) -> bool:
        held = {each["AvailabilityZone"]: each["TotalInstanceCount"] for each in self._active(aws)}
        return held == dict(self.by_zone)

    def is_released(self, aws: Aws) -> bool:
        return not self._active(aws)

    def hold(self, aws: Aws) -> None:
        """Reserve in every zone that has no reservation yet."""
        held = {each["AvailabilityZone"] for each in self._active(aws)}
        for zone, count in self.by_zone.items():
            if zone not in held:
                # botocore repeats a call whose answer was lost; one that was released is not given out again.
                before = sum(each["AvailabilityZone"] == zone for each in self._made(aws))
                aws.ec2.create_capacity_reservation(
                    ClientToken=fingerprint([self.made_for, zone, before], 32),
                    InstanceType=self.instance_type,
                    InstancePlatform="Linux/UNIX",
                    AvailabilityZone=zone,
                    InstanceCount=count,
                    InstanceMatchCriteria="open",
                    EndDateType="unlimited",
                    TagSpecifications=[
                        {"ResourceType": "capacity-reservation", "Tags": [{"Key": TAG, "Value": self.made_for}]}
                    ],
                )

    def release(self, aws: Aws) -> None:
        for each in self._active(aws):
            aws.ec2.cancel_capacity_reservation(CapacityReservationId=each["CapacityReservationId"])

    def touched(self, aws: Aws) -> tuple[Touched, ...]:
        """The reservations that are held."""
        return tuple(known(each["CapacityReservationId"], flat(each.get("Tags", []))) for each in self._active(aws))

    def _active(self, aws: Aws) -> list[CapacityReservationTypeDef]:
        return [each for each in self._made(aws) if each["State"] in ("active", "pending")]

    def _made(self, aws: Aws) -> list[CapacityReservationTypeDef]:
        """All of them, also those that were released."""
        pages = aws.ec2.get_paginator("describe_capacity_reservations").paginate(
            Filters=[{"Name": f"tag:{TAG}", "Values": [self.made_for]}]
        )
        return [each for page in pages for each in page["CapacityReservations"]]
