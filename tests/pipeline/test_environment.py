"""The environment refuses wrong and missing values in one line that names the field."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domain.environment import EnvironmentInvalid, file_in_repository, load_environment, require_regions
from domain.sizing import Sizing
from tests.environments import EXAMPLE, in_regions, moved

ROOT = Path(__file__).parents[2]


def edited(edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    copied = copy.deepcopy(dict(EXAMPLE))
    edit(copied)
    return copied


def test_the_tests_environment_is_the_example() -> None:
    environment = load_environment(EXAMPLE)
    assert environment.is_example
    assert (environment.replica(2).name, environment.replica(3).name) == ("us-west-2", "eu-west-1")
    assert environment.table_regions == ()


@pytest.mark.parametrize("replicas", range(6))
def test_none_to_five_replica_regions_each_with_a_number_and_an_aurora_secondary(replicas: int) -> None:
    environment = load_environment(in_regions(replicas))
    assert environment.replica_numbers == Sizing.designed(replicas).aurora.secondaries
    assert [environment.replica(number) for number in environment.replica_numbers] == list(environment.replicas)
    assert len(environment.replicas) == replicas
    require_regions(environment, Sizing.designed(replicas).aurora.secondaries, None)


@pytest.mark.parametrize(("file", "where"), [(None, "cdk.json, environment"), ("own.json", "own.json")])
def test_a_region_that_the_sizing_still_uses_may_not_go(file: str | None, where: str) -> None:
    with pytest.raises(EnvironmentInvalid) as refused:
        require_regions(load_environment(in_regions(1)), (2, 3), file)
    told = f"{where}: replicas: 1 named, and the sizing in force has an Aurora secondary in Region 3"
    assert str(refused.value).startswith(told)
    assert "\n" not in str(refused.value)


def test_one_zone_is_refused_with_aws_reason() -> None:
    with pytest.raises(EnvironmentInvalid, match=r"CreateLoadBalancer.*DBSubnetGroupDoesNotCoverEnoughAZs"):
        load_environment(edited(lambda e: e["primary"].update(zones=["us-east-1a"])))


def test_one_example_account_is_enough_to_be_the_example() -> None:
    assert load_environment(moved("999999999999", "222222222222")).is_example
    assert load_environment(moved("111111111111", "888888888888")).is_example
    assert not load_environment(moved("999999999999", "888888888888")).is_example


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_it_reads_a_file(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"mine{suffix}"
    file.write_text(json.dumps(EXAMPLE))  # JSON is YAML
    assert load_environment(str(file)) == load_environment(EXAMPLE)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda e: e.pop("alarm_email"), "alarm_email: Field required"),
        (lambda e: e["accounts"].pop("production"), "accounts.production: Field required"),
        (lambda e: e["accounts"].update(tooling="12"), "accounts.tooling: String should match"),
        (lambda e: e["accounts"].update(tooling=111111111111), "accounts.tooling: Input should be a valid string"),
        (lambda e: e.update(colour="red"), "colour: Extra inputs are not permitted"),
        (lambda e: e["primary"].update(image_id="resolve:ssm:/ami"), "primary.image_id"),
        (lambda e: e["primary"].update(zones=["us-east-1a"]), "primary: zones: 1 are named in us-east-1, and 2 to 6"),
        (lambda e: e["primary"].update(zones=[f"us-east-1{z}" for z in "abcdefg"]), "primary: zones: 7 are named"),
        (lambda e: e["primary"].update(zones=["us-east-1a"] * 3), "primary: the zones of us-east-1 must differ"),
        (lambda e: e["replicas"][0].update(name="us-west-1"), "replicas.0: zone us-west-2a is not in us-west-1"),
        (lambda e: e.pop("replicas"), "replicas: Field required"),
        (lambda e: e.update(replicas=in_regions(6)["replicas"]), "replicas: Tuple should have at most 5 items"),
        (lambda e: e["replicas"][1].update(zones=["eu-west-1a"]), "replicas.1: zones: 1 are named in eu-west-1"),
        (
            lambda e: e["replicas"].reverse() or e["replicas"].__setitem__(0, e["replicas"][1]),
            "three different Regions",
        ),
        (
            lambda e: e.update(replicas=[{"name": "us-east-1", "zones": ["us-east-1a", "us-east-1b"]}]),
            "two different Regions, not us-east-1, us-east-1",
        ),
        (lambda e: e.update(certificate_arn="arn:aws:iam::1:x"), "certificate_arn"),
        (
            lambda e: e.update(certificate_arn=EXAMPLE["certificate_arn"].replace("us-east-1", "eu-west-1")),
            "certificate_arn is in eu-west-1; the load balancer is in us-east-1",
        ),
        (
            lambda e: e.update(certificate_arn=EXAMPLE["certificate_arn"].replace("222222222222", "333333333333")),
            "certificate_arn is of account 333333333333; the load balancer is in the production account 222222222222",
        ),
        (lambda e: e.update(connection_arn="connection"), "connection_arn"),
        (
            lambda e: e.update(connection_arn=EXAMPLE["connection_arn"].replace("111111111111", "333333333333")),
            "connection_arn is of account 333333333333; the pipeline is in the tooling account 111111111111",
        ),
        (lambda e: e.update(committers=[]), "second_approver wants somebody who does not push"),
        (lambda e: e.update(repository="tap"), "repository"),
        (lambda e: e.update(alarm_email="nobody"), "alarm_email"),
        (lambda e: e.update(domain="https://tap"), "domain"),
    ],
)
def test_a_wrong_or_missing_field_is_named_in_one_line(edit: Callable[[dict[str, Any]], object], said: str) -> None:
    with pytest.raises(EnvironmentInvalid) as refused:
        load_environment(edited(edit))
    message = str(refused.value)
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), ("{", "is neither JSON nor YAML"), ("[1]", "valid dictionary")],
)
def test_a_file_that_is_no_environment(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "mine.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(EnvironmentInvalid, match=said) as refused:
        load_environment(file)
    assert str(file) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_environment_at_all() -> None:
    with pytest.raises(EnvironmentInvalid, match=r"cdk\.json"):
        load_environment(None)


def test_without_a_second_approver_nobody_has_to_say_who_pushes() -> None:
    assert load_environment(edited(lambda e: e.update(second_approver=False, committers=[]))).committers == ()


@pytest.mark.parametrize("named", ["environments/own.json", "./environments/own.json", "environments/../own.json"])
def test_a_file_is_named_by_its_path_in_the_repository(tmp_path: Path, named: str) -> None:
    expected = "own.json" if ".." in named else "environments/own.json"
    assert file_in_repository(named, tmp_path) == expected
    assert file_in_repository(str(tmp_path / named), tmp_path) == expected


@pytest.mark.parametrize("named", ["../own.json", "/etc/own.json"])
def test_a_file_outside_of_the_repository_is_refused_in_one_line(tmp_path: Path, named: str) -> None:
    with pytest.raises(EnvironmentInvalid, match="is not inside the repository") as refused:
        file_in_repository(named, tmp_path)
    assert "\n" not in str(refused.value)


def test_it_does_without_aws_cdk() -> None:
    """The optimizer's command line reads it too, and must start fast."""
    code = "import sys, domain.environment, domain.sizing; sys.exit('aws_cdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
