"""The runbook's commands parse, and every stack, parameter, role and project that it names is in the templates."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from pipeline.cli_version import CLI_VERSION

pytestmark = pytest.mark.xdist_group("pipeline")  # one synthesis for all of them

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
ANYWHERE = {"region", "profile", "output", "query"}  # options of the aws command itself
SPOKEN = re.compile(r"`(aws [^`]+)`|^\s*(aws .+?)(?:\s+#.*)?$", re.MULTILINE)
COMMANDS = [" ".join((found[1] or found[2]).split()) for found in SPOKEN.finditer(RUNBOOK)]


def shape(service: str, operation: str) -> Any:
    """The input of one command of the AWS command line."""
    model = botocore.session.get_session().get_service_model({"elbv2": "elbv2"}.get(service, service))
    names = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in names, f"aws {service} has no {operation}"
    return model.operation_model(names[operation]).input_shape


@pytest.mark.parametrize("command", COMMANDS)
def test_every_aws_command_parses(command: str) -> None:
    _, service, operation, *rest = shlex.split(command)
    if service == "s3":
        assert operation == "cp"
        return
    options = {each[2:].partition("=")[0] for each in rest if each.startswith("--")}
    known = {xform_name(name, "-") for name in shape(service, operation).members} | ANYWHERE
    assert {each.removeprefix("no-") for each in options} <= known, command


def test_there_are_commands_to_look_at() -> None:
    assert len(COMMANDS) > 25


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", RUNBOOK)) <= targets


def test_the_cdk_is_named_with_its_version() -> None:
    assert set(re.findall(r"npx (\S+)", RUNBOOK)) == {f"aws-cdk@{CLI_VERSION}"}
    assert json.loads((ROOT / "package.json").read_text())["devDependencies"]["aws-cdk"] == CLI_VERSION


def named(assembly: Path) -> set[str]:
    """Every name of one's own in the templates, and the stacks themselves."""
    found: set[str] = set()
    for manifest in assembly.rglob("manifest.json"):
        for artifact in json.loads(manifest.read_text())["artifacts"].values():
            found.add(artifact.get("properties", {}).get("stackName", ""))
    for path in assembly.rglob("*.template.json"):
        for body in json.loads(path.read_text())["Resources"].values():
            found |= {value for value in body.get("Properties", {}).values() if isinstance(value, str)}
    return found


def test_what_the_runbook_names_is_in_the_templates(assembly: Path) -> None:
    """Words of the form `tap-...` and `/tap/...` in code, but for those that are made at run time or by hand."""
    made = {
        "tap-keys",  # with table_replicas alone
        "tap-consolidation",  # the Glue job that a person makes
        "tap-tenants", "tap-users",  # backups, with a time
        "tap-reconcile",  # the role, and the prefix of change sets
        "tap-cache",
    }  # fmt: skip
    there = named(assembly)
    words = {
        word.rstrip("-.")
        for code in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", RUNBOOK, flags=re.DOTALL))
        for word in re.findall(r"(?<![\w/-])(?:tap-[a-z0-9-]+|/tap/[a-z/_-]+)", code)
    }
    assert len(words) > 20
    missing = {word for word in words if word not in there and not any(word.startswith(each) for each in made)}
    assert missing == set()
