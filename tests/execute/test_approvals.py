"""The approvals that a plan needs, as a table of answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.errors import NotApproved
from emulator.services.codepipeline.execution import Execution, Executions
from optimizer.decide.approvals import ApprovalRule
from tests.execute.conftest import ENVIRON, START, World

JANE = "arn:aws:iam::111111111111:user/jane"
LEAD = "arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_platform/lead@example.com"
JANE_ELSEWHERE = "arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_admin/Jane"
TWO = ApprovalRule(second=True, committers=("dev@example.com", "jane"))


@pytest.mark.parametrize(
    ("rule", "answered", "who"),
    [
        (ApprovalRule(second=False), {"ApprovePlan": JANE}, JANE),
        (TWO, {"ApprovePlan": JANE, "ConfirmPlan": LEAD}, f"{JANE} and {LEAD}"),
        (TWO, {"ApprovePlan": JANE, "ConfirmPlan": LEAD, "Record": JANE}, f"{JANE} and {LEAD}"),
    ],
)
def test_enough(world: World, rule: ApprovalRule, answered: dict[str, str], who: str) -> None:
    assert rule.require(world.plan(), answered) == who


@pytest.mark.parametrize(
    ("answered", "says"),
    [
        ({}, "does not say who"),
        ({"ApprovePlan": JANE}, "does not say who"),
        ({"ConfirmPlan": LEAD}, "does not say who"),
        ({"ApprovePlan": LEAD, "ConfirmPlan": LEAD}, "answered both gates"),
        ({"ApprovePlan": JANE, "ConfirmPlan": JANE_ELSEWHERE}, "answered both gates"),
        ({"ApprovePlan": LEAD, "ConfirmPlan": JANE}, "pushes to the branch"),
    ],
)
def test_not_enough_for_one_way_moves(world: World, answered: dict[str, str], says: str) -> None:
    plan = world.plan()
    with pytest.raises(NotApproved, match=f"{says}.*Retry the stage Approve with all actions"):
        TWO.require(plan, answered)
    reversible = replace(plan, actions=tuple(replace(each, one_way=()) for each in plan.actions))
    assert TWO.require(reversible, answered) == answered.get("ApprovePlan", "unknown")


def test_one_way_moves_are_approved_by_nobody_unknown(world: World) -> None:
    plan = world.plan()
    with pytest.raises(NotApproved, match="does not say who approved"):
        ApprovalRule(second=False).require(plan, {})
    assert ApprovalRule(second=False).require(plan, {}, JANE) == JANE
    for answered in ({}, {"ApprovePlan": JANE, "ConfirmPlan": LEAD}):
        with pytest.raises(NotApproved, match="TAP_SECOND_APPROVER is not set"):
            ApprovalRule(second=None).require(plan, answered, JANE)
    reversible = replace(plan, actions=tuple(replace(each, one_way=()) for each in plan.actions))
    assert ApprovalRule(second=None).require(reversible, {}, JANE) == JANE


def test_by_hand_the_caller_is_who_approved(world: World) -> None:
    world.approved()
    current = world.fresh().journal.current()
    assert current is not None
    assert current.approver == "arn:aws:iam::111111111111:user/job"


def test_by_hand_without_the_rule_a_one_way_plan_is_not_approved(world: World) -> None:
    environ = {name: value for name, value in ENVIRON.items() if name != "TAP_SECOND_APPROVER"}
    with pytest.raises(NotApproved, match="TAP_SECOND_APPROVER is not set"):
        replace(world, environ=environ).approved()


def test_a_job_of_the_pipeline_approves_nothing_by_its_own_name(world: World) -> None:
    with pytest.raises(NotApproved, match="does not say who approved"):
        replace(world, environ={**ENVIRON, "CODEBUILD_BUILD_ID": "tap-approve:1"}).approved()


@pytest.mark.parametrize(("second", "approved"), [(LEAD, True), (JANE, False)])
def test_the_verb_reads_both_gates_and_records_both_people(world: World, second: str, approved: bool) -> None:
    execution = Execution("tap", "1", {"Approve": ("ApprovePlan", "ConfirmPlan", "Record")})
    world.account.part(Executions).by_pipeline["tap"] = execution
    for name, who in (("ApprovePlan", JANE), ("ConfirmPlan", second)):
        gate = execution.open("Approve", name, "", START)
        execution.answer("Approve", name, gate.token, True, "", who, START)
    environ = {**ENVIRON, "TAP_PIPELINE_NAME": "tap", "TAP_SECOND_APPROVER": "true"}
    asked = replace(world, environ=environ)
    if approved:
        plan = asked.approved()
        current = asked.fresh().journal.current()
        assert current is not None
        assert (current.plan.hash, current.approver) == (plan.hash, f"{JANE} and {LEAD}")
    else:
        with pytest.raises(NotApproved, match="jane answered both gates"):
            asked.approved()
