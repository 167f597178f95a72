"""The instance types that Regions offer are those of moto, read when they are needed."""

from __future__ import annotations

import json
import subprocess
import sys

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS

from emulator.core.offered_types import OfRegions, read_when_needed

BY_MOTO = """
import json
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS
print(json.dumps({each: regions["eu-west-1"] for each, regions in INSTANCE_TYPE_OFFERINGS.items()}))
"""


def test_a_region_offers_what_moto_says_and_an_unknown_one_nothing():
    read_when_needed()
    alone = subprocess.run([sys.executable, "-c", BY_MOTO], capture_output=True, check=True, text=True)
    here = {each: regions.get("eu-west-1", None) for each, regions in INSTANCE_TYPE_OFFERINGS.items()}
    assert here == json.loads(alone.stdout)
    assert {type(each) for each in INSTANCE_TYPE_OFFERINGS.values()} == {OfRegions}
    assert INSTANCE_TYPE_OFFERINGS["region"].get("mars-1", "none") == "none"
