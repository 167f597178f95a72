"""A CDK cloud assembly, read: the stacks from synthesis, including those of nested stages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import UsageError

REVISION_KEY = "tap:sizing-revision"


@dataclass(frozen=True)
class Stack:
    """One synthesized stack. `stage` is its cdk.Stage's path ("tap-pipeline/Production"), empty for the app itself.

    `tags` are the stack's own, which CloudFormation sets on every resource that supports tags. `staging`
    is CDK's template bucket in its account and Region; empty if the assembly names none.
    """

    name: str
    account: str
    region: str
    stage: str
    template: Mapping[str, Any]
    tags: Mapping[str, str]
    staging: str = ""

    @property
    def sizing_revision(self) -> int | None:
        """The revision of the sizing record it was synthesized from; None if it has no stamp."""
        stamp = self.template.get("Metadata", {}).get(REVISION_KEY)
        return None if stamp is None else int(stamp)


@dataclass(frozen=True)
class Assembly:
    """All stacks of a cloud assembly, in an order in which they can be deployed."""

    path: Path
    stacks: tuple[Stack, ...]

    def stage(self, name: str) -> tuple[Stack, ...]:
        """The stacks of one stage, by its last name ("Production"); those of the app itself for the empty name."""
        return tuple(stack for stack in self.stacks if stack.stage.rsplit("/", 1)[-1] == name)

    def stack(self, name: str) -> Stack:
        """The stack with this physical name; raises KeyError if there is none."""
        for stack in self.stacks:
            if stack.name == name:
                return stack
        raise KeyError(name)


def read_assembly(path: Path) -> Assembly:
    """The cloud assembly in directory `path`; raises UsageError if it cannot be read."""
    return Assembly(path, tuple(_stacks(path, stage="")))


def _stacks(path: Path, stage: str) -> Iterator[Stack]:
    artifacts = _read_json(path / "manifest.json").get("artifacts", {})
    for name in _deployment_order(artifacts):
        artifact = artifacts[name]
        properties = artifact.get("properties", {})
        if artifact["type"] == "cdk:cloud-assembly":
            yield from _stacks(path / properties["directoryName"], properties.get("displayName", name))
        elif artifact["type"] == "aws:cloudformation:stack":
            account, region = artifact["environment"].removeprefix("aws://").split("/", 1)
            yield Stack(
                name=properties.get("stackName", name),
                account=account,
                region=region,
                stage=stage,
                template=_read_json(path / properties["templateFile"]),
                tags=properties.get("tags", {}),
                staging=_bucket(properties.get("stackTemplateAssetObjectUrl", "")),
            )


def _bucket(url: str) -> str:
    """The bucket of an s3://BUCKET/KEY."""
    return url.removeprefix("s3://").partition("/")[0]


def _deployment_order(artifacts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The artifacts' names, each after its dependencies; CDK has refused cycles."""
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in ordered and name in artifacts:
            for dependency in artifacts[name].get("dependencies", ()):
                visit(dependency)
            ordered[name] = None

    for name in artifacts:
        visit(name)
    return list(ordered)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist: {path.parent} is no cloud assembly. Run `python app.py`.") from None
    except json.JSONDecodeError as error:
        raise UsageError(f"{path} is not JSON ({error}): synthesize again with `python app.py`.") from error
    assert isinstance(content, dict)
    return content
