"""Commands, variables and permissions of each job, on the synthesized template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudformation.assembly import read_assembly

pytestmark = pytest.mark.xdist_group("pipeline")  # one synthesis for all of them

OPTIMIZER = "python -m optimizer"
SYNTHESIS = [f"{OPTIMIZER} sizing --out sizing.json", "python app.py"]
COMMANDS = {
    "tap-build": [*SYNTHESIS, f"{OPTIMIZER} freeze-check --assembly cdk.out"],
    "tap-check-again": [f"{OPTIMIZER} freeze-check --assembly assembly"],
    "tap-analyze": [
        f"{OPTIMIZER} analyze --out out",
        'export PLAN_HASH="$(cat out/plan-hash)"',
        'export GATE_TEXT="$(cat out/gate-text)"',
    ],
    "tap-approve": [f"{OPTIMIZER} drift-check", f"{OPTIMIZER} approve --plan plan/plan.json"],
    "tap-drift-check": [f"{OPTIMIZER} drift-check"],
    "tap-publish": [f"{OPTIMIZER} publish --out out"],
    "tap-watch": ["cd applied", f"{OPTIMIZER} watch"],
    "tap-reconcile": [*SYNTHESIS, f"{OPTIMIZER} reconcile --assembly cdk.out"],
    "tap-rollback": [
        "cd applied",
        f'{OPTIMIZER} gate-failed --phase "${{STAGE#Phase}}" --execution "$EXECUTION" '
        '--timeout-minutes "$GATE_TIMEOUT_MINUTES"',
    ],
} | {
    f"tap-phase{number}-{job}": commands
    for number in (1, 2, 3)
    for job, commands in {
        "apply": [
            f'{OPTIMIZER} apply --phase "$PHASE" --plan plan/plan.json --source . --out out',
            'export WINDOW_END="$(cat out/window-end)"',
        ],
        "accept": [
            f'{OPTIMIZER} accept --phase "$PHASE"',
            *SYNTHESIS,
            'export TAP_ROLE_ARN="$TAP_RECONCILE_ROLE_ARN"',
            f"{OPTIMIZER} reconcile --assembly cdk.out",
        ],
    }.items()
}
PRODUCTION_ROLE = {
    "tap-build": "tap-foresee",
    "tap-check-again": "tap-foresee",
    "tap-analyze": "tap-analyze",
    "tap-approve": "tap-reconcile",
    "tap-drift-check": "tap-reconcile",
    "tap-publish": "tap-analyze",
    "tap-watch": "tap-act",
    "tap-rollback": "tap-act",
    "tap-reconcile": "tap-reconcile",
} | {f"tap-phase{number}-{job}": "tap-act" for number in (1, 2, 3) for job in ("apply", "accept")}
MAY_ASSUME = {
    "build": {"tap-foresee"},
    "analyze": {"tap-analyze"},
    "approve": {"tap-reconcile"},
    "drift-check": {"tap-reconcile"},
    "publish": {"tap-analyze"},
    "apply": {"tap-act"},
    "accept": {"tap-act", "tap-reconcile"},
    "watch": {"tap-act"},
    "rollback": {"tap-act"},
    "reconcile": {"tap-reconcile"},
}
HOURS_8 = 8 * 60


def role_arn(name: str) -> dict[str, Any]:
    return {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, f":iam::222222222222:role/{name}"]]}


@pytest.mark.parametrize("project", COMMANDS)
def test_commands(pipeline: Any, project: str) -> None:
    assert pipeline.buildspec(project)["phases"]["build"]["commands"] == COMMANDS[project]


@pytest.mark.parametrize("project", COMMANDS)
def test_every_job_is_told_the_same_and_its_own_role(pipeline: Any, project: str) -> None:
    told = pipeline.variables(project)
    assert told["TAP_JOURNAL_TABLE"] == {"Ref": next(iter(pipeline.of_type("AWS::DynamoDB::GlobalTable")))}
    assert told["TAP_PIPELINE_NAME"] == "tap"
    names = {id: each["Name"] for id, each in pipeline.of_type("AWS::SSM::Parameter").items()}
    assert {names[told[f"TAP_{each}_PARAMETER"]["Ref"]] for each in ("SWITCH", "OVERRIDE", "PEAKS")} == {
        "/tap/switch",
        "/tap/freeze-override",
        "/tap/peaks",
    }
    assert told["TAP_PRODUCTION_ACCOUNT"] == "222222222222"
    assert told["TAP_PRIMARY_REGION"] == "us-east-1"
    assert told["TAP_SECONDARY_REGIONS"] == "us-west-2,eu-west-1"
    role = PRODUCTION_ROLE[project]
    assert told.get("TAP_ROLE_ARN") == (role_arn(role) if role else None)
    assert told.get("TAP_EXTERNAL_ID") == ("tap-111111111111" if role else None)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_phase_jobs_know_their_phase_and_have_eight_hours(pipeline: Any, number: int) -> None:
    for job in ("apply", "accept"):
        assert pipeline.variables(f"tap-phase{number}-{job}")["PHASE"] == str(number)
        assert pipeline.project(f"tap-phase{number}-{job}")["TimeoutInMinutes"] == HOURS_8
    assert pipeline.variables(f"tap-phase{number}-accept")["TAP_RECONCILE_ROLE_ARN"] == role_arn("tap-reconcile")


@pytest.mark.parametrize(
    ("project", "minutes"),
    [
        ("tap-build", 60),
        ("tap-analyze", 60),
        ("tap-approve", 60),
        ("tap-drift-check", 60),
        ("tap-publish", 30),
        ("tap-rollback", HOURS_8),
    ],
)
def test_timeouts(pipeline: Any, project: str, minutes: int) -> None:
    assert pipeline.project(project)["TimeoutInMinutes"] == minutes


def test_analyze_exports_what_the_gates_show(pipeline: Any) -> None:
    assert set(pipeline.buildspec("tap-analyze")["env"]["exported-variables"]) == {"PLAN_HASH", "GATE_TEXT"}
    assert pipeline.buildspec("tap-analyze")["artifacts"]["base-directory"] == "out"


@pytest.mark.parametrize("project", ["tap-approve", *(f"tap-phase{number}-apply" for number in (1, 2, 3))])
def test_the_plan_is_linked_as_the_folder_plan(pipeline: Any, project: str) -> None:
    link = 'ln -s -- "$CODEBUILD_SRC_DIR_Analyze_Output" "plan"'
    assert [each for each in pipeline.buildspec(project)["phases"]["install"]["commands"] if each.endswith(link)]


@pytest.mark.parametrize("job", MAY_ASSUME)
def test_a_job_may_assume_its_production_role_alone(pipeline: Any, job: str) -> None:
    assumed = [each for each in pipeline.allowed(f"tap-job-{job}") if "sts:AssumeRole" in each["Action"]]
    arns = [
        arn
        for each in assumed
        for arn in (each["Resource"] if isinstance(each["Resource"], list) else [each["Resource"]])
    ]
    assert sorted(map(str, arns)) == sorted(str(role_arn(name)) for name in MAY_ASSUME[job])


@pytest.mark.parametrize(
    ("job", "writes"),
    [(job, job != "publish") for job in MAY_ASSUME],
)
def test_only_jobs_that_write_down_what_they_do_write_the_journal(pipeline: Any, job: str, writes: bool) -> None:
    actions = pipeline.actions_allowed(f"tap-job-{job}")
    assert {"dynamodb:GetItem", "dynamodb:Query"} <= actions
    assert ("dynamodb:PutItem" in actions) is writes
    assert "dynamodb:DeleteItem" not in actions


@pytest.mark.parametrize("job", MAY_ASSUME)
def test_every_job_that_may_roll_back_may_reject_the_gate_and_no_other(pipeline: Any, job: str) -> None:
    answers = [
        each for each in pipeline.allowed(f"tap-job-{job}") if "codepipeline:PutApprovalResult" in each["Action"]
    ]
    assert bool(answers) is ("tap-act" in MAY_ASSUME[job])
    for each in answers:
        assert "codepipeline:GetPipelineState" in each["Action"]
        places = {json.dumps(arn).rsplit(":tap", 1)[1].rstrip('"]}') for arn in each["Resource"]}
        assert places == {"", "/Phase1/Observe", "/Phase2/Observe", "/Phase3/Observe"}


def test_the_freeze_check_may_read_every_stack_of_the_tooling_account(pipeline: Any, assembly: Path) -> None:
    (reading,) = [each for each in pipeline.allowed("tap-job-build") if "cloudformation:GetTemplate" in each["Action"]]
    allowed = {json.dumps(arn) for arn in reading["Resource"]}
    stacks = read_assembly(assembly).stage("")
    assert len(stacks) == len(allowed) == 3
    for stack in stacks:
        place = f":cloudformation:{stack.region}:{stack.account}:stack/{stack.name}/*"
        assert [arn for arn in allowed if place in arn], place


def test_every_job_that_synthesizes_does_it_by_the_same_runtimes(pipeline: Any) -> None:
    runtimes = {
        name: pipeline.buildspec(name)["phases"]["install"]["runtime-versions"]
        for name, commands in COMMANDS.items()
        if "python app.py" in commands
    }
    assert len(runtimes) == 5  # build, reconcile, and accept of each phase
    assert all(each == runtimes["tap-build"] for each in runtimes.values())
    assert "nodejs" in runtimes["tap-build"]


def test_all_jobs_log_to_one_encrypted_group_each_under_its_name(pipeline: Any) -> None:
    prefixes = {name: pipeline.project(name)["LogsConfig"]["CloudWatchLogs"].get("StreamName") for name in COMMANDS}
    assert prefixes == {name: name.removeprefix("tap-") for name in COMMANDS}
    assert all("KmsKeyId" in group for group in pipeline.of_type("AWS::Logs::LogGroup").values())
