"""A cloud assembly on disk, read into stacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudformation.assembly import read_assembly
from domain.errors import UsageError


def stack(name: str, template: str, *dependencies: str, region: str = "us-east-1", **more: Any) -> dict[str, Any]:
    return {
        "type": "aws:cloudformation:stack",
        "environment": f"aws://222222222222/{region}",
        "properties": {"templateFile": template, "stackName": name, **more},
        "dependencies": list(dependencies),
    }


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    """A pipeline stack, and a stage whose primary stack is listed before the keys it depends on."""
    nested = tmp_path / "assembly-Production"
    nested.mkdir()
    (tmp_path / "p.json").write_text("{}")
    (nested / "primary.json").write_text(json.dumps({"Metadata": {"tap:sizing-revision": 3}}))
    (nested / "keys.json").write_text("{}")
    (tmp_path / "manifest.json").write_text(
        json.dumps(
            {
                "artifacts": {
                    "tree": {"type": "cdk:tree"},
                    "assembly-Production": {
                        "type": "cdk:cloud-assembly",
                        "properties": {"directoryName": "assembly-Production", "displayName": "tap/Production"},
                    },
                    "Pipeline": stack("tap-pipeline", "p.json"),
                }
            }
        )
    )
    (nested / "manifest.json").write_text(
        json.dumps(
            {
                "artifacts": {
                    "Primary": stack("tap-primary", "primary.json", "Keys", "Primary.assets", tags={"a": "b"}),
                    "Keys": stack("tap-keys", "keys.json", region="eu-west-1"),
                }
            }
        )
    )
    return tmp_path


def test_nested_stages_are_read_in_deployment_order(assembly: Path) -> None:
    read = read_assembly(assembly)
    assert [each.name for each in read.stage("Production")] == ["tap-keys", "tap-primary"]
    assert [each.name for each in read.stage("")] == ["tap-pipeline"]


def test_a_stack_knows_its_place_tags_and_revision(assembly: Path) -> None:
    read = read_assembly(assembly)
    primary, keys = read.stack("tap-primary"), read.stack("tap-keys")
    assert (primary.account, primary.region, primary.tags) == ("222222222222", "us-east-1", {"a": "b"})
    assert (primary.sizing_revision, keys.sizing_revision, keys.region) == (3, None, "eu-west-1")
    with pytest.raises(KeyError):
        read.stack("tap-nowhere")


def test_what_is_no_assembly_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no cloud assembly"):
        read_assembly(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(UsageError, match="is not JSON"):
        read_assembly(tmp_path)
