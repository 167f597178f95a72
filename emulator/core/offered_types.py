"""The instance types that each Region offers: moto reads them of all Regions when it is imported, 90 MB."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from moto.utilities.utils import load_resource

OFFERED = Path("ec2", "resources", "instance_type_offerings")
LOCATION_TYPES = ("availability-zone", "availability-zone-id", "region")


class OfRegions:
    """The offers in one type of location by Region: as much of a mapping as moto uses."""

    def __init__(self, location_type: str) -> None:
        self._location_type = location_type

    def __getitem__(self, region: str) -> list[dict[str, Any]]:
        return _offers(self._location_type, region)

    def get(self, region: str, other: Any) -> Any:
        """The offers in a Region; `other` where moto knows of none."""
        try:
            return self[region]
        except FileNotFoundError:
            return other


@cache
def _offers(location_type: str, region: str) -> list[dict[str, Any]]:
    offers = load_resource(str(OFFERED / location_type / f"{region}.json"))
    return [{**each, "LocationType": location_type} for each in offers]


def read_when_needed() -> None:
    """Import moto's EC2 without the offers, and let it read those of a Region when they are needed."""
    names = os.listdir
    with patch("os.listdir", lambda path=".": [] if Path(path).match(f"*/{OFFERED}*") else names(path)):
        from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS
    INSTANCE_TYPE_OFFERINGS.update({each: OfRegions(each) for each in LOCATION_TYPES})
