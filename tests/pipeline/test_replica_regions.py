"""The whole app with none, one and five replica Regions: its stacks, networks, jobs and roles."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import boto3
import pytest

from cloudformation.assembly import Assembly, read_assembly
from domain.clock import SystemClock
from domain.environment import Environment, load_environment
from domain.errors import UsageError
from domain.sizing import Sizing, SizingRecord
from optimizer.analyze.analysis import analyze
from optimizer.decide.policy import Policy
from optimizer.ports.aws import Aws
from optimizer.ports.settings import Settings
from pipeline.pipeline_stack import PipelineStack
from tests.environments import CONTEXT, in_regions
from tests.pipeline.permitted import joined
from tests.stages.foundation import Foundation, aurora, instances, network, tables

IN_ROLES = ("tap-analyze", "tap-act", "tap-reconcile", "tap-foresee")


@dataclass(frozen=True)
class Made:
    """The assembly of an environment, and the values read from it."""

    environment: Environment
    assembly: Assembly

    @property
    def foundation(self) -> Foundation:
        return Foundation({each.name: each.template for each in self.assembly.stage("Production")})

    @property
    def replicas(self) -> list[str]:
        return [f"tap-replica-{number}" for number in self.environment.replica_numbers]

    def of_type(self, stack: str, type: str) -> dict[str, Any]:
        resources = self.assembly.stack(stack).template["Resources"]
        return {id: each["Properties"] for id, each in resources.items() if each["Type"] == type}


@pytest.fixture(scope="module", params=[0, 1, 5])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    out = tmp_path_factory.mktemp("assembly")
    told = {**in_regions(request.param), "table_replicas": True}
    app = cdk.App(outdir=str(out), context=CONTEXT, builtin_cloud_formation_validation=False, analytics_reporting=False)
    environment = load_environment(told)
    sizing = SizingRecord(revision=0, sizing=Sizing.designed(request.param))
    PipelineStack(app, "tap-pipeline", environment=environment, sizing=sizing)
    app.synth()
    return Made(environment, read_assembly(Path(out)))


def test_each_replica_region_has_its_stack_and_its_aurora_secondary(made: Made) -> None:
    stacks = {each.name: each.region for each in made.assembly.stage("Production")}
    keys = [f"tap-keys-{number}" for number in made.environment.replica_numbers]
    assert stacks.keys() == {"tap-primary", "tap-roles", *made.replicas, *keys}
    for number, stack in zip(made.environment.replica_numbers, made.replicas, strict=True):
        assert stacks[stack] == made.environment.replica(number).name
        assert aurora(made.foundation, stack)["DBClusterIdentifier"] == f"tap-database-region{number}"
        assert list(instances(made.foundation, stack)) == [f"tap-database-region{number}-1"]
    assert aurora(made.foundation)["GlobalClusterIdentifier"], "a Region can join later"


def test_no_two_networks_overlap(made: Made) -> None:
    networks = [network(made.foundation, stack) for stack in ("tap-primary", *made.replicas)]
    assert not [pair for pair in combinations(networks, 2) if pair[0].overlaps(pair[1])]


def test_tables_are_replicated_to_these_regions_alone(made: Made) -> None:
    regions = {made.environment.primary.name, *(each.name for each in made.environment.replicas)}
    for table in tables(made.foundation).values():
        assert {each["Region"] for each in table["Replicas"]} == regions


def test_one_replica_is_deployed_after_the_other(made: Made) -> None:
    (pipeline,) = made.of_type("tap-pipeline", "AWS::CodePipeline::Pipeline").values()
    (stage,) = [each for each in pipeline["Stages"] if each["Name"] == "Production"]
    order = {
        each["Configuration"]["StackName"]: each["RunOrder"]
        for each in stage["Actions"]
        if each["Configuration"].get("ActionMode") == "CHANGE_SET_EXECUTE"
    }
    assert all(order[first] < order[then] for first, then in pairwise(["tap-primary", *made.replicas]))


def test_the_jobs_are_told_these_regions(made: Made) -> None:
    """None: the variable is left out, since no page says that CodeBuild takes an empty one."""
    wanted = [",".join(each.name for each in made.environment.replicas)] if made.replicas else []
    projects = made.of_type("tap-pipeline", "AWS::CodeBuild::Project").values()
    ours = [each for each in projects if str(each.get("Name")).startswith("tap-")]
    assert ours
    for project in ours:
        told = {each["Name"]: each["Value"] for each in project["Environment"].get("EnvironmentVariables", ())}
        if "TAP_JOURNAL_TABLE" not in told:
            continue  # no verb runs there
        assert [told[name] for name in told if name == "TAP_SECONDARY_REGIONS"] == wanted
        settings = Settings.from_environ({name: str(value) for name, value in told.items()})
        assert settings.design == Sizing.designed(len(made.replicas))


def test_the_roles_reach_these_regions_within_iams_limits(made: Made) -> None:
    """Ten managed policies a role, and 6,144 characters each (IAM User Guide, "IAM and AWS STS quotas")."""
    managed = made.of_type("tap-roles", "AWS::IAM::ManagedPolicy")
    policies = made.of_type("tap-roles", "AWS::IAM::Policy") | managed
    roles = made.of_type("tap-roles", "AWS::IAM::Role")
    of_role: dict[str, list[Mapping[str, Any]]] = {id: [] for id in roles}
    attached: Counter[str] = Counter()
    for id, policy in policies.items():
        for role in policy.get("Roles", ()):
            of_role[role["Ref"]].append(policy["PolicyDocument"])
            attached[role["Ref"]] += id in managed
    assert max(attached.values(), default=0) <= 10
    for policy in managed.values():
        assert len(json.dumps(joined(policy["PolicyDocument"]), separators=(",", ":"))) < 6_144
    for id, role in roles.items():
        if role.get("RoleName") in IN_ROLES:
            text = json.dumps(of_role[id])
            assert [each.name for each in made.environment.replicas if each.name not in text] == []


def test_an_analysis_by_hand_without_the_regions_of_the_sizing_is_refused(ask_aws: Aws) -> None:
    environ = {
        "TAP_JOURNAL_TABLE": "tap-journal",
        "TAP_PRODUCTION_ACCOUNT": "2" * 12,
        "TAP_PRIMARY_REGION": "us-east-1",
    }
    settings = Settings.from_environ({**environ, "TAP_SECONDARY_REGIONS": "us-west-2"})
    record = SizingRecord(revision=1, sizing=Sizing.AS_DESIGNED)
    with pytest.raises(UsageError, match=r"Region 3, and TAP_SECONDARY_REGIONS names 1: set it"):
        analyze(ask_aws, settings, (), Policy(), record)


@pytest.fixture
def ask_aws() -> Aws:
    """A client without answers: nothing is called before the Regions are known."""
    return Aws(boto3.Session(region_name="us-east-1"), "2" * 12, "us-east-1", SystemClock())
