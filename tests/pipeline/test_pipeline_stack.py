"""The pipeline as people read it: stages, order, gates, inputs and variables, on the synthesized template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from optimizer.cli.gate_text import LIMIT

pytestmark = pytest.mark.xdist_group("pipeline")  # one synthesis for all of them

PHASES = ("Phase1", "Phase2", "Phase3")
STAGES = ["Source", "Build", "UpdatePipeline", "Production", "Analyze", "Approve", *PHASES, "Publish"]
DAYS_14 = 14 * 24 * 60
GATES = [("Approve", "ApprovePlan"), ("Approve", "ConfirmPlan"), *((phase, "Observe") for phase in PHASES)]


def test_stages_come_in_this_order(pipeline: Any) -> None:
    assert [stage["Name"] for stage in pipeline.stages] == STAGES


def test_v2_named_tap_and_restarted_when_it_changed_itself(pipeline: Any) -> None:
    found = pipeline.only("AWS::CodePipeline::Pipeline")
    assert (found["Name"], found["PipelineType"], found["RestartExecutionOnUpdate"]) == ("tap", "V2", True)
    (command,) = pipeline.buildspec(self_mutation(pipeline))["phases"]["build"]["commands"]
    assert command.startswith("cdk -a . deploy tap-pipeline ")
    (install,) = pipeline.buildspec(self_mutation(pipeline))["phases"]["install"]["commands"]
    assert install == "npm install -g aws-cdk@2.1148.1"


def self_mutation(pipeline: Any) -> Any:
    """The one project that CDK names itself."""
    (name,) = {each.get("Name") for each in pipeline.of_type("AWS::CodeBuild::Project").values()} - PROJECTS
    return name


PROJECTS = {
    "tap-build",
    "tap-check-again",
    "tap-analyze",
    "tap-approve",
    "tap-drift-check",
    "tap-publish",
    "tap-watch",
    "tap-rollback",
    "tap-measure-savings",
    "tap-reconcile",
    *(f"tap-{phase.lower()}-{job}" for phase in PHASES for job in ("apply", "accept")),
}


def test_a_push_to_the_branch_starts_it_by_the_connection(pipeline: Any) -> None:
    (source,) = pipeline.stage("Source")["Actions"]
    assert source["ActionTypeId"]["Provider"] == "CodeStarSourceConnection"
    assert source["Configuration"]["BranchName"] == "main"
    assert source["Configuration"]["DetectChanges"] is True
    assert source["Configuration"]["ConnectionArn"].endswith(":connection/00000000-0000-4000-8000-000000000000")


@pytest.mark.parametrize(
    ("stage", "order"),
    [
        ("Build", [("Synth", 1)]),
        ("UpdatePipeline", [("SelfMutate", 1)]),
        ("Analyze", [("Analyze", 1), ("DriftCheck", 2)]),
        ("Approve", [("ApprovePlan", 1), ("ConfirmPlan", 2), ("Record", 3)]),
        *((phase, [("Apply", 1), ("Observe", 2), ("Accept", 3)]) for phase in PHASES),
        ("Publish", [("Publish", 1)]),
    ],
)
def test_actions_run_in_order(pipeline: Any, stage: str, order: list[tuple[str, int]]) -> None:
    assert [(each["Name"], each["RunOrder"]) for each in pipeline.stage(stage)["Actions"]] == order


def test_production_deploys_the_primary_before_the_replicas_one_after_the_other(pipeline: Any) -> None:
    deployed = {
        each["Name"].removesuffix(".Deploy"): each["RunOrder"]
        for each in pipeline.stage("Production")["Actions"]
        if each["Name"].endswith(".Deploy")
    }
    assert deployed.keys() == {"tap-roles", "tap-primary", "tap-replica-2", "tap-replica-3"}
    assert deployed["tap-primary"] < deployed["tap-replica-2"] < deployed["tap-replica-3"]


def test_production_checks_what_it_deploys_right_before_it(pipeline: Any) -> None:
    """Build's check may be days old by then: a sizing accepted since must not be undone."""
    first, *others = sorted(pipeline.stage("Production")["Actions"], key=lambda each: each["RunOrder"])
    assert (first["Name"], first["ActionTypeId"]["Provider"]) == ("CheckAgain", "CodeBuild")
    assert all(each["RunOrder"] > first["RunOrder"] for each in others)
    templates = {each["Configuration"]["TemplatePath"].split("::")[0] for each in others if "Prepare" in each["Name"]}
    assert {each["Name"] for each in first["InputArtifacts"]} > templates, "it looks at another assembly"


@pytest.mark.parametrize(("stage", "gate"), GATES)
def test_gates_wait_fourteen_days_and_name_the_plan(pipeline: Any, stage: str, gate: str) -> None:
    action = pipeline.action(stage, gate)
    assert action["ActionTypeId"] == {"Category": "Approval", "Owner": "AWS", "Provider": "Manual", "Version": "1"}
    assert action["TimeoutInMinutes"] == DAYS_14
    assert f"#{{{namespace(pipeline)}.PLAN_HASH}}" in action["Configuration"]["CustomData"]
    assert action["Configuration"]["NotificationArn"] == {"Ref": next(iter(pipeline.of_type("AWS::SNS::Topic")))}


def test_the_plans_gate_shows_the_exported_text_within_the_limit(pipeline: Any) -> None:
    text = pipeline.action("Approve", "ApprovePlan")["Configuration"]["CustomData"]
    variable = f"#{{{namespace(pipeline)}.GATE_TEXT}}"
    assert variable in text
    # A field takes 1,000 characters; the repository's name in the links may be 100 longer than here.
    hash_variable = f"#{{{namespace(pipeline)}.PLAN_HASH}}"
    for stage, gate in GATES:
        text = pipeline.action(stage, gate)["Configuration"]["CustomData"]
        assert len(text.replace(variable, "x" * LIMIT).replace(hash_variable, "x" * 64)) <= 900
        assert "https://github.com/example/tap-optimizer/blob/main/docs/runbook.md" in text


@pytest.mark.parametrize("phase", PHASES)
def test_an_observed_phase_s_gate_says_when_its_window_ends(pipeline: Any, phase: str) -> None:
    apply = pipeline.action(phase, "Apply")
    assert pipeline.buildspec(f"tap-{phase.lower()}-apply")["env"]["exported-variables"] == ["WINDOW_END"]
    assert f"#{{{apply['Namespace']}.WINDOW_END}}" in pipeline.action(phase, "Observe")["Configuration"]["CustomData"]


@pytest.mark.parametrize(("stage", "gate"), GATES)
def test_a_gate_links_to_the_plan_s_dashboard(pipeline: Any, stage: str, gate: str) -> None:
    link = json.dumps(pipeline.action(stage, gate)["Configuration"]["ExternalEntityLink"])
    bucket = pipeline.variables("tap-analyze")["TAP_RECORDS_BUCKET"]
    assert "https://us-east-1.console.aws.amazon.com/s3/object/" in link
    assert json.dumps(bucket) in link
    assert f"&prefix=plans/#{{{namespace(pipeline)}.PLAN_HASH}}/dashboard.html" in link


def namespace(pipeline: Any) -> str:
    return str(pipeline.action("Analyze", "Analyze")["Namespace"])


def test_only_analyze_feeds_later_jobs_because_it_is_never_skipped(pipeline: Any) -> None:
    (plan,) = pipeline.action("Analyze", "Analyze")["OutputArtifacts"]
    (source,) = pipeline.action("Source", "Source")["OutputArtifacts"]
    for stage, action in [("Approve", "Record"), *((phase, "Apply") for phase in PHASES)]:
        assert pipeline.action(stage, action)["InputArtifacts"] == [source, plan]
        assert pipeline.action(stage, action)["Configuration"]["PrimarySource"] == source["Name"]
    for phase in PHASES:
        assert pipeline.action(phase, "Accept")["InputArtifacts"] == [source]
        assert not any("OutputArtifacts" in each for each in pipeline.stage(phase)["Actions"])


def test_publish_leaves_an_artifact(pipeline: Any) -> None:
    assert pipeline.action("Publish", "Publish")["OutputArtifacts"] == [{"Name": "Publish_Output"}]
    assert pipeline.buildspec("tap-publish")["artifacts"]["base-directory"] == "out"


@pytest.mark.parametrize("stage", ["Approve", *PHASES])
def test_stages_with_nothing_to_do_are_skipped(pipeline: Any, stage: str) -> None:
    function = next(iter(pipeline.of_type("AWS::Lambda::Function")))
    ((condition,),) = pipeline.stage(stage)["BeforeEntry"].values()
    assert condition["Result"] == "SKIP"
    (rule,) = condition["Rules"]
    assert rule["RuleTypeId"] == {"Category": "Rule", "Owner": "AWS", "Provider": "LambdaInvoke", "Version": "1"}
    assert rule["Configuration"]["FunctionName"] == {"Ref": function}
    assert json.loads(rule["Configuration"]["UserParameters"]) == {"stage": stage}


def test_no_other_stage_can_be_skipped(pipeline: Any) -> None:
    assert [stage["Name"] for stage in pipeline.stages if "BeforeEntry" in stage] == ["Approve", *PHASES]


def test_the_pipeline_may_invoke_the_condition(pipeline: Any) -> None:
    function = next(iter(pipeline.of_type("AWS::Lambda::Function")))
    policies = pipeline.of_type("AWS::IAM::Policy").values()
    assert any(
        statement["Action"] == "lambda:InvokeFunction" and {"Fn::GetAtt": [function, "Arn"]} in statement["Resource"]
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
    )


def test_nothing_is_published_as_an_asset(assembly: Path) -> None:
    for manifest in assembly.rglob("*.assets.json"):
        document = json.loads(manifest.read_text())
        assert document["dockerImages"] == {}
        # A stack's own template is listed here; anything else would add an Assets stage to the pipeline.
        assert all(file["source"]["path"].endswith(".template.json") for file in document["files"].values())


def test_no_job_runs_docker(pipeline: Any) -> None:
    projects = pipeline.of_type("AWS::CodeBuild::Project").values()
    assert projects
    assert not any(each["Environment"]["PrivilegedMode"] for each in projects)


def test_artifacts_outlive_a_plan_and_are_encrypted_with_our_key(pipeline: Any) -> None:
    buckets = pipeline.of_type("AWS::S3::Bucket").items()
    (bucket,) = [each for id, each in buckets if id.startswith("Artifacts")]
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] >= 4 * 14 + 60  # four gates and the days a plan is proposed from
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}


def test_the_journal_is_restorable_encrypted_and_kept(pipeline: Any) -> None:
    ((id, table),) = pipeline.of_type("AWS::DynamoDB::GlobalTable").items()
    assert table["TableName"] == "tap-journal"
    assert table["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    (replica,) = table["Replicas"]
    assert replica["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert replica["DeletionProtectionEnabled"] is True
    assert "KMSMasterKeyId" in replica["SSESpecification"]
    assert (pipeline.resources[id]["DeletionPolicy"], pipeline.resources[id]["UpdateReplacePolicy"]) == (
        "Retain",
        "Retain",
    )
