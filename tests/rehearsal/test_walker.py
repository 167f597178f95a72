"""The walk over a small template: its actions, their order, and the errors of a wrong template."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.core.faults import Crash
from rehearsal.pipeline.errors import WalkFailed
from tests.rehearsal.pipelines import Recorded, action, project, small_template, walker


def stages(template: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = template["Resources"]["Pipeline"]["Properties"]["Stages"]
    return found


def test_actions_run_by_run_order_with_their_inputs_and_variables(tmp_path: Path) -> None:
    recorded = Recorded()
    walk = walker(small_template(), recorded, tmp_path).walk()
    assert [run.status for run in walk.stages] == ["Succeeded"] * 4
    assert [verb[0] for verb in recorded.verbs] == ["analyze", "apply", "accept"]
    assert recorded.verbs[1] == ["apply", "--plan", "plan/plan-hash", "--hash", "abc123"]
    assert recorded.gates == ["Plan abc123"]
    assert recorded.milestones == ["phase1.applied", "phase1.accepted"]


def test_a_job_sees_its_declared_environment_and_nothing_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "somebody")
    recorded = Recorded()
    walker(small_template(), recorded, tmp_path).walk()
    assert {name for name in recorded.seen[1] if not name.startswith("CODEBUILD_")} == {
        "TABLE",
        "PLAN",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    }


def test_install_is_shown_as_not_run_but_for_the_links_of_inputs(tmp_path: Path) -> None:
    recorded = Recorded()
    walker(small_template(), recorded, tmp_path).walk()
    assert "not run here (install): npm ci" in recorded.lines
    assert not any("ln -s" in line for line in recorded.lines)


def test_a_failed_condition_skips_the_stage_and_the_walk_goes_on(tmp_path: Path) -> None:
    recorded = Recorded(skip="nothing to do")
    walk = walker(small_template(), recorded, tmp_path).walk()
    assert [run.status for run in walk.stages] == ["Succeeded", "Succeeded", "Skipped", "Succeeded"]
    assert recorded.gates == []


def test_a_rejected_gate_fails_the_stage_and_ends_the_walk(tmp_path: Path) -> None:
    walk = walker(small_template(), Recorded(approves=False), tmp_path).walk()
    assert walk.failed is not None
    assert (walk.failed.name, walk.failed.reason) == ("Phase1", "Observe was rejected: too slow")
    assert walk.stage("Publish") is None


def test_a_gate_that_nobody_answers_is_asked_again_when_somebody_retries_the_stage(tmp_path: Path) -> None:
    recorded = Recorded(leaves=2)
    walk = walker(small_template(), recorded, tmp_path).walk()
    assert walk.failed is None
    assert (len(recorded.gates), recorded.failed_gates) == (3, ["expired", "expired"])
    assert [verb[0] for verb in recorded.verbs].count("apply") == 3, "with all actions"


def test_a_gate_that_nobody_answers_and_nobody_retries_ends_the_walk_without_a_rollback(tmp_path: Path) -> None:
    recorded = Recorded(leaves=1, asks_again=False)
    walk = walker(small_template(), recorded, tmp_path).walk()
    assert walk.failed is not None
    assert walk.failed.reason == "Observe was answered by nobody in time"
    assert "phase1.rolled_back" not in recorded.milestones


@pytest.mark.parametrize(
    ("held", "accepts", "status"),
    [(2, [4, 4], "Succeeded"), (1, [4, 4], "Failed"), (5, [2], "Failed")],
)
def test_a_held_stage_is_retried_with_all_actions_as_often_as_the_person_likes(
    tmp_path: Path, held: int, accepts: list[int | BaseException], status: str
) -> None:
    recorded = Recorded(held=held, exits={"accept": list(accepts)})
    walk = walker(small_template(), recorded, tmp_path).walk()
    run = walk.stage("Phase1")
    assert run is not None
    assert run.status == status
    assert len(recorded.gates) == [verb[0] for verb in recorded.verbs].count("accept")


@pytest.mark.parametrize(
    ("failure", "retry_failures", "status"),
    [
        (Crash("call 3"), False, "Succeeded"),
        (7, True, "Succeeded"),
        (7, False, "Failed"),
        (2, True, "Failed"),
    ],
)
def test_a_job_is_retried_after_a_crash_and_after_an_injected_fault(
    tmp_path: Path, failure: int | BaseException, retry_failures: bool, status: str
) -> None:
    recorded = Recorded(exits={"apply": [failure]})
    run = walker(small_template(), recorded, tmp_path, retry_failures=retry_failures).walk().stage("Phase1")
    assert run is not None
    assert run.status == status


def missing_input(template: dict[str, Any]) -> None:
    stages(template)[1]["Actions"][0]["OutputArtifacts"] = []


def wrong_variable(template: dict[str, Any]) -> None:
    stages(template)[2]["Actions"][1]["Configuration"]["CustomData"] = "#{Seen.PLAN_HAHS}"


def wrong_primary_source(template: dict[str, Any]) -> None:
    stages(template)[2]["Actions"][2]["Configuration"]["PrimarySource"] = "Other"


def no_such_project(template: dict[str, Any]) -> None:
    del template["Resources"]["AcceptProject"]


def no_output(template: dict[str, Any]) -> None:
    spec = template["Resources"]["AnalyzeProject"]["Properties"]["Source"]
    spec["BuildSpec"] = spec["BuildSpec"].replace('"base-directory": "out"', '"base-directory": "dist"')


def unknown_provider(template: dict[str, Any]) -> None:
    stages(template)[3]["Actions"].append(action("Other", "Test", "DeviceFarm", 2))


@pytest.mark.parametrize(
    ("corrupt", "says"),
    [
        (missing_input, "Phase1.Apply: its input artifact Analyze_Output"),
        (wrong_variable, "Phase1.Observe: the variable #{Seen.PLAN_HAHS}"),
        (wrong_primary_source, "Phase1.Apply: the primary source Other"),
        (no_such_project, "AcceptProject is no CodeBuild project"),
        (no_output, "no matching artifact paths"),
        (unknown_provider, "Publish.Other: the walk knows no Test action by DeviceFarm"),
    ],
)
def test_a_wrong_template_fails_the_walk_with_one_line(
    tmp_path: Path, corrupt: Callable[[dict[str, Any]], None], says: str
) -> None:
    template = small_template()
    corrupt(template)
    with pytest.raises(WalkFailed, match="^.*" + says.replace("{", "\\{").replace("#", "\\#")) as failure:
        walker(template, Recorded(), tmp_path).walk()
    assert "\n" not in str(failure.value)


def test_a_misspelt_command_fails_its_stage(tmp_path: Path) -> None:
    text = json.dumps(small_template()).replace("python -m optimizer accept", "python -m optimiser accept")
    walk = walker(json.loads(text), Recorded(), tmp_path).walk()
    assert walk.failed is not None
    assert walk.failed.reason.startswith("`python -m optimiser accept --phase 1` ended with 1:")


def test_cloudformation_actions_and_self_mutation_are_deployments(tmp_path: Path) -> None:
    template = small_template()
    replace = {"StackName": "tap-primary", "ActionMode": "CHANGE_SET_REPLACE", "TemplatePath": "Source_Output::a.json"}
    execute = {"StackName": "tap-primary", "ActionMode": "CHANGE_SET_EXECUTE"}
    stages(template)[3]["Actions"] = [
        action("Deploy", "Deploy", "CloudFormation", 2, Configuration=execute),
        action("Prepare", "Deploy", "CloudFormation", 1, Configuration=replace, inputs=["Source_Output"]),
        action(
            "Self", "Build", "CodeBuild", 3, Configuration={"ProjectName": {"Ref": "Self"}}, inputs=["Source_Output"]
        ),
    ]
    template["Resources"]["Self"] = project(["cdk -a . deploy Pipeline --require-approval=never"])
    recorded = Recorded()
    walker(template, recorded, tmp_path).walk()
    assert recorded.deployed == ["prepare tap-primary a.json", "execute tap-primary", "self Pipeline"]
