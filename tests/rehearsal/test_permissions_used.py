"""Calls of the act role and the jobs' own roles, compared with their permissions, both ways.

The calls come from rehearsals that do and undo each phase.

The account evaluates each call of a role, and records its caller. `calls.json` of a rehearsal holds the calls as
IAM actions, by one table (`emulator/iam_actions.py`). test_rehearse.py checks for every scenario that no call lacks
a permission.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from emulator.core.call_record import Call
from emulator.iam_actions import OTHERWISE, PREFIXES, iam_actions, resource_of
from optimizer.actions import registry
from pipeline import roles
from tests.pipeline.permitted import granted_to_jobs, job_may, permitted
from tests.rehearsal.shared import lived

pytestmark = pytest.mark.xdist_group("pipeline")  # one synthesis for all of them

# Together they apply, accept and undo what every action does.
DO_AND_UNDO = ("quiet", "errors", "large-tables", "rejected-gate", "regression", "slow-failover")

RELEASED_AGAIN = "released-again"  # Build finds a plan under way
FALSE_DRIFT = "false-drift"  # the drift check holds the plan, and tells people
SICK = "sick-while-applying"  # the watch sees the breach first, and takes the lock from apply
NO_BUILDS = "no-builds"  # apply sends a mail: no watch can run beside it
EARLY_APPROVAL = "early-approval"  # the stage fails after its gate: the watch asks whether somebody rejected it

WAY_BACK = "FleetPolicy.reserve_way_back, which is off by default"
# Permitted, and called in none of these: what would have to be there first.
UNSEEN = {
    "ec2:CancelCapacityReservation": WAY_BACK,
    "ec2:CreateCapacityReservation": WAY_BACK,
    "ec2:DescribeCapacityReservations": WAY_BACK,
    "dynamodb:TagResource": "CreateTable with tags is authorized by it too; no call of its own",
    "dynamodb:UpdateTimeToLive": "consolidated tables with a time to live: the foundation's have none",
    "ec2:RevokeSecurityGroupIngress": "a secondary whose security group lets somebody in: the foundation's let nobody",
    "servicequotas:GetAWSDefaultServiceQuota": "a quota that has no applied value: the emulated account's has one",
    "osis:GetPipeline": "an OpenSearch Ingestion pipeline in the account: the foundation has none",
}


# What a job's own role is granted for others to use: no call of the optimizer shows it.
FOR_OTHERS = {
    "codebuild": "CDK's grant of the reports that a build might make",
    "codeconnections": "CodeBuild fetches the branch",
    "kms": "S3, DynamoDB, SNS and CloudWatch Logs use the key on the caller's behalf",
    "logs": "CodeBuild writes the job's log",
}
OVERRIDE = "somebody overrides the freeze: tests/execute/test_freeze.py does"
ACCEPT = "a breach that accept is the first to see, and not the watch"
NO_GATE = "every rollback looks for a waiting gate; here none waits while this job runs"
# Granted to a job's own role, and called by it in none of these.
UNSEEN_BY_JOBS = {
    ("tap-job-build", "dynamodb:PutItem"): OVERRIDE,
    ("tap-job-build", "dynamodb:UpdateItem"): OVERRIDE,
    ("tap-job-build", "ssm:GetParameterHistory"): OVERRIDE,
    ("tap-job-rollback", "codepipeline:RetryStageExecution"): "nobody answers a gate: the scenario unanswered-gate",
    ("tap-job-accept", "codepipeline:GetPipelineState"): ACCEPT,
    ("tap-job-apply", "codepipeline:GetPipelineState"): "apply sees a breach before the watch beside it",
    **{(f"tap-job-{job}", "codepipeline:PutApprovalResult"): NO_GATE for job in ("apply", "accept", "rollback")},
    ("tap-job-approve", "sns:Publish"): "CloudFormation sees drift since the plan was proposed, and not before",
    ("tap-job-drift-check", "dynamodb:UpdateItem"): "one grant for all that write the journal",
    **{
        (f"tap-job-{job}", "dynamodb:Query"): "one grant for all that write the journal" for job in ("approve", "build")
    },
}
NEVER_RUN = {
    "tap-job-reconcile": "a person starts it, for an accepted phase whose execution is gone",
    "tap-job-measure-savings": "it runs in the weeks after a plan, which test_rehearse.py lives through",
}


def dependent() -> dict[str, str]:
    """Actions that AWS checks on the caller without a call of ours, each with its page."""
    return {each.action: each.source for action in registry() for each in action.permissions if each.dependent}


def test_the_exceptions_are_permitted_and_have_a_reason() -> None:
    may = permitted()["Allow", roles.ACT]
    assert UNSEEN.keys() <= may
    assert not UNSEEN.keys() & dependent().keys()
    assert all(source.startswith("https://docs.aws.amazon.com/") for source in dependent().values())
    granted = granted_to_jobs()
    assert all(action in granted[role] for role, action in UNSEEN_BY_JOBS)
    assert NEVER_RUN.keys() <= granted.keys()


def test_the_table_names_its_sources() -> None:
    sources = [source for _, source in (*PREFIXES.values(), *OTHERWISE.values())]
    assert all(source.startswith("https://docs.aws.amazon.com/service-authorization/") for source in sources)
    assert iam_actions("elbv2", "DescribeTags", {}) == ("elasticloadbalancing:DescribeTags",)
    assert iam_actions("rds", "DescribeDBClusters", {}) == ("rds:DescribeDBClusters",)


def test_a_transaction_is_authorized_by_what_is_in_it() -> None:
    asked = {"TransactItems": [{"Update": {}}, {"Put": {}}, {"Put": {}}, {"ConditionCheck": {}}]}
    actions = ("dynamodb:ConditionCheckItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
    assert iam_actions("dynamodb", "TransactWriteItems", asked) == actions
    assert iam_actions("dynamodb", "TransactGetItems", {"TransactItems": [{"Get": {}}]}) == ("dynamodb:GetItem",)


@pytest.mark.parametrize(
    ("service", "asked", "arn"),
    [
        ("cloudformation", {"StackName": "tap-pipeline"}, "arn:aws:cloudformation:us-west-2:1:stack/tap-pipeline/id"),
        ("cloudformation", {"StackName": "arn:aws:cloudformation:x"}, "arn:aws:cloudformation:x"),
        ("cloudformation", {}, None),
        ("codepipeline", {"name": "tap"}, "arn:aws:codepipeline:us-west-2:1:tap"),
        ("codepipeline", {"pipelineName": "tap", "stageName": "S"}, "arn:aws:codepipeline:us-west-2:1:tap/S"),
        (
            "codepipeline",
            {"pipelineName": "tap", "stageName": "S", "actionName": "A"},
            "arn:aws:codepipeline:us-west-2:1:tap/S/A",
        ),
        ("dynamodb", {"TableName": "tap"}, None),
    ],
)
def test_a_call_names_what_it_is_about(service: str, asked: dict[str, str], arn: str | None) -> None:
    at = datetime(2027, 3, 1, tzinfo=UTC)
    call = Call(1, at, "1", "us-west-2", service, "Any", "a job", "key", lambda: asked, dict)
    assert resource_of(call) == arn


def test_what_a_job_may_is_read_from_its_policy() -> None:
    gate = "arn:aws:codepipeline:us-east-1:111111111111:tap/Phase1/Observe"
    assert job_may("tap-job-apply", "codepipeline:PutApprovalResult", gate)
    assert not job_may("tap-job-apply", "codepipeline:PutApprovalResult", gate.replace("Observe", "Other"))
    assert not job_may("tap-job-publish", "codepipeline:PutApprovalResult", gate)
    support = "arn:aws:cloudformation:us-west-2:111111111111:stack/tap-pipeline-support-us-west-2/id"
    assert job_may("tap-job-build", "cloudformation:GetTemplate", support)


@pytest.mark.slow
def test_the_act_role_may_what_is_called_and_nothing_is_permitted_that_never_is() -> None:
    called: dict[str, set[str]] = {}
    for scenario in (*DO_AND_UNDO, RELEASED_AGAIN, FALSE_DRIFT, SICK, NO_BUILDS, EARLY_APPROVAL):
        life = lived(scenario)
        assert life.code == 0, scenario
        for role, actions in life.json("calls.json").items():
            called.setdefault(role, set()).update(actions)
    used = called[roles.ACT]
    may = permitted()["Allow", roles.ACT]
    assert sorted(used - may) == [], "called without a permission"
    assert sorted(may - used - dependent().keys() - UNSEEN.keys()) == [], "permitted and never used"
    assert sorted(used & UNSEEN.keys()) == [], "seen after all: no exception any more"
    assert_jobs_use_what_they_are_granted(called)


def assert_jobs_use_what_they_are_granted(called: Mapping[str, set[str]]) -> None:
    """test_rehearse.py checks the other direction for every rehearsal."""
    granted = {
        (role, action)
        for role, actions in granted_to_jobs().items()
        for action in actions
        if role not in NEVER_RUN and action.partition(":")[0] not in FOR_OTHERS and action != "sts:TagSession"
    }
    used = {(role, action) for role, actions in called.items() for action in actions if role.startswith("tap-job-")}
    assert sorted(granted - used - UNSEEN_BY_JOBS.keys()) == [], "granted and never used"
    assert sorted(used & UNSEEN_BY_JOBS.keys()) == [], "seen after all: no exception any more"
    assert not {role for role, _ in used} & NEVER_RUN.keys(), "run after all: no exception any more"
