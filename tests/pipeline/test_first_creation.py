"""The first deployment: the order of creation, the remains of a failure, and the success of the second try."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cloudformation.creation_graph import POLICIES, dependencies
from cloudformation.template import references
from emulator.services.cloudformation.creation import CreatingAccount, StackRefused, rights_lacking

pytestmark = pytest.mark.xdist_group("pipeline")  # one synthesis for all of them

# Types that name a role which their service does not look at when they are created, each with the reason.
NOT_CHECKED = {
    "AWS::CodeBuild::Project": "Its source is the pipeline's; the role's policy names the project, so it comes after",
    "AWS::Events::Rule": "EventBridge assumes the role when an event matches",
}


@pytest.fixture(scope="module")
def templates(assembly: Path) -> Mapping[str, Any]:
    """Every template of the assembly by the name of its file."""
    return {path.name: json.loads(path.read_text()) for path in sorted(assembly.rglob("*.template.json"))}


def named_roles(template: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each resource that names a role of the same template, with that role."""
    for logical_id, body in template["Resources"].items():
        for named in references(body.get("Properties", {})) & template["Resources"].keys():
            if template["Resources"][named]["Type"] == "AWS::IAM::Role" and not body["Type"].startswith("AWS::IAM::"):
                yield logical_id, named


def rights(template: Mapping[str, Any], role: str) -> set[str]:
    """The policies of a role that are resources of their own."""
    return {
        logical_id
        for logical_id, body in template["Resources"].items()
        if body["Type"] in POLICIES and role in references(body["Properties"].get("Roles", []))
    }


def test_whoever_names_a_role_is_created_after_its_rights(templates: Mapping[str, Any]) -> None:
    early = {
        (file, template["Resources"][resource]["Type"], resource): late
        for file, template in templates.items()
        for resource, role in named_roles(template)
        if (late := rights(template, role) - dependencies(template, resource))
    }
    assert {kind for _, kind, _ in early} <= NOT_CHECKED.keys(), early


def test_no_service_that_checks_a_role_finds_it_without_rights(templates: Mapping[str, Any]) -> None:
    lacking = {
        (file, resource): missing
        for file, template in templates.items()
        for resource in template["Resources"]
        if (missing := rights_lacking(template, resource))
    }
    assert not lacking


def test_two_projects_open_the_connection_and_none_waits_for_a_policy_that_names_it(
    templates: Mapping[str, Any],
) -> None:
    template = templates["tap-pipeline.template.json"]
    opening = {
        id: body for id, body in template["Resources"].items() if "Auth" in body.get("Properties", {}).get("Source", {})
    }
    assert {body["Properties"]["Name"] for body in opening.values()} == {"tap-measure-savings", "tap-reconcile"}
    for id in opening:
        assert id not in dependencies(template, id)


def test_a_right_that_comes_late_is_seen(templates: Mapping[str, Any]) -> None:
    """CDK's default: the right in the default policy, which names the project."""
    template = json.loads(json.dumps(templates["tap-pipeline.template.json"]))
    projects = {id: body for id, body in template["Resources"].items() if body["Type"] == "AWS::CodeBuild::Project"}
    savings = next(id for id, body in projects.items() if body["Properties"].get("Name") == "tap-measure-savings")
    del template["Resources"][savings]["DependsOn"]
    ended = CreatingAccount().create("tap-pipeline", template)
    assert (ended.failed, ended.status) == (savings, "ROLLBACK_COMPLETE")
    assert "UseConnection" in (ended.reason or "")


CREATED = ("tap-pipeline", "Primary", "Replica2")
# What a failed creation leaves under a name of its own, since its service protects it: docs/runbook.md says what to do.
PROTECTED = {
    "tap-pipeline": {"tap-journal"},
    "Primary": {"tap", "tap-database", "tap-global", "tenants", "users", "audit_logs"},
    "Replica2": {"tap-database-region2"},
}


def template_of(templates: Mapping[str, Any], stack: str) -> Any:
    return next(template for file, template in templates.items() if stack in file and "support" not in file)


@pytest.mark.parametrize("stack", CREATED)
def test_a_creation_that_fails_anywhere_can_be_repeated(templates: Mapping[str, Any], stack: str) -> None:
    """A failure at each resource in turn: its remains are removed as in the runbook, and the second try succeeds."""
    template = template_of(templates, stack)
    ended = set()
    for fails_at in template["Resources"]:
        account = CreatingAccount()
        failed = account.create(stack, template, fails_at)
        assert failed.failed == fails_at
        named = [each for each in failed.left if each.name and each.kept_by in ("Retain", "protection")]
        assert {each.name for each in named} <= PROTECTED[stack], fails_at
        ended.add(failed.status)
        with pytest.raises(StackRefused, match="can not be updated"):
            account.create(stack, template)
        for each in named:
            account.remove(each)
        account.delete(stack)
        assert account.create(stack, template).status == "CREATE_COMPLETE", fails_at
    assert "ROLLBACK_COMPLETE" in ended


def test_what_is_left_takes_the_names_of_the_second_try(templates: Mapping[str, Any]) -> None:
    template = template_of(templates, "Primary")
    last = next(id for id, body in template["Resources"].items() if body["Type"] == "AWS::Synthetics::Canary")
    account = CreatingAccount()
    assert account.create("tap-primary", template, last).status == "ROLLBACK_FAILED"
    with pytest.raises(StackRefused, match="DELETE_FAILED"):
        account.delete("tap-primary")
    for each in account.stacks["tap-primary"].left:
        if each.type != "AWS::DynamoDB::GlobalTable":
            account.remove(each)
    account.delete("tap-primary")
    assert "already exists" in (account.create("tap-primary", template).reason or "")


@pytest.mark.parametrize("kind", ["AWS::ElasticLoadBalancingV2::Listener", "AWS::AutoScaling::AutoScalingGroup"])
def test_a_bad_certificate_or_image_fails_before_anything_holds_data(templates: Mapping[str, Any], kind: str) -> None:
    template = template_of(templates, "Primary")
    for id in (id for id, body in template["Resources"].items() if body["Type"] == kind):
        failed = CreatingAccount().create("tap-primary", template, id)
        assert {each.name for each in failed.left if each.name} <= {"tap"}


def test_retain_alone_would_leave_every_name_taken(templates: Mapping[str, Any]) -> None:
    """As it was: a log group of a fixed name stops the second try."""
    template = json.loads(json.dumps(template_of(templates, "tap-pipeline")))
    for body in template["Resources"].values():
        if body.get("DeletionPolicy") == "RetainExceptOnCreate":
            body["DeletionPolicy"] = "Retain"
    account = CreatingAccount()
    failed = account.create("tap-pipeline", template, list(template["Resources"])[-1])
    assert "/tap/jobs" in {each.name for each in failed.left}
