"""The foundation in two and in six zones: every kind of subnet is in each, inside the network, without overlap."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path

import aws_cdk as cdk
import pytest

from cloudformation.assembly import read_assembly
from domain.environment import load_environment
from domain.sizing import Sizing
from stages.production import ProductionStage
from tests.environments import CONTEXT
from tests.stages.foundation import NETWORKS, Foundation, network, subnet_kinds


@pytest.mark.parametrize("zones", ["ab", "abcdef"])
def test_every_zone_has_each_kind_of_subnet(zones: str, tmp_path: Path) -> None:
    told = dict(CONTEXT["environment"])
    for region in (told["primary"], *told["replicas"]):
        assert len(region["zones"]) == 3
    told["primary"] = {**told["primary"], "zones": [f"{told['primary']['name']}{each}" for each in zones]}
    told["replicas"] = [{**each, "zones": [f"{each['name']}{zone}" for zone in zones]} for each in told["replicas"]]
    app = cdk.App(context=CONTEXT, outdir=str(tmp_path), builtin_cloud_formation_validation=False)
    environment = load_environment(told)
    ProductionStage(app, "Production", environment=environment, sizing=Sizing.AS_DESIGNED, revision=0)
    app.synth()
    found = Foundation({each.name: each.template for each in read_assembly(tmp_path).stage("Production")})
    for stack in NETWORKS:
        assert {kind: len(covered) for kind, covered in subnet_kinds(found, stack).items()} == dict.fromkeys(
            ("Public", "Private", "Isolated"), len(zones)
        ), stack
        blocks = [IPv4Network(each["Properties"]["CidrBlock"]) for each in found.all("AWS::EC2::Subnet", stack)]
        assert all(each.subnet_of(network(found, stack)) for each in blocks)
        assert not [pair for pair in combinations(blocks, 2) if pair[0].overlaps(pair[1])]
    assert len(found.all("AWS::EC2::NatGateway")) == len(zones)
