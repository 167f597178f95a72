"""Effective rights of each role: policy, boundary and Deny together, in an account with the synthesized stacks.

Jobs' calls are evaluated while they run, in every rehearsal. Here are the roles that services use and no job
uses, and the actions that no role may take.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends

from cloudformation.assembly import read_assembly
from emulator.account import EmulatedAccount
from emulator.core.policy_evaluation import AccessRequest, Allowed, account_of, evaluate, statements
from emulator.iam_actions import Required
from emulator.services.cloudformation.deploy import deploy
from emulator.services.iam.authorization import EVERY_RIGHT, Rights, may
from optimizer.actions import registry
from optimizer.observe.rights import for_undo, refused
from pipeline.preflight_checks import Where, rights_of_undo

pytestmark = pytest.mark.xdist_group("pipeline")  # one synthesis for all of them

HOME, THERE, REGION = "111111111111", "222222222222", "us-east-1"

LETS_IN = statements('{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}')


@dataclass(frozen=True)
class Deployed:
    """The account with everything deployed. Roles are called by the beginning of their names."""

    account: EmulatedAccount

    @property
    def roles(self) -> list[str]:
        return [role.arn for owner in (HOME, THERE) for role in iam_backends[owner]["aws"].roles.values()]

    def role(self, name: str) -> str:
        """The ARN of the only role whose name begins so."""
        (found,) = [arn for arn in self.roles if arn.partition(":role/")[2].startswith(name)]
        return found

    def may(self, role: str, action: str, resource: str, **keys: str) -> bool:
        """Whether the role may; a key's colon is written as two underscores."""
        own = {name.replace("__", ":").lower(): [value] for name, value in keys.items()}
        arn, right = self.role(role), Required(action, self._filled(resource), own)
        elsewhere = account_of(right.resource) not in ("", account_of(arn))
        return may(self.account, arn, right, REGION, LETS_IN if elsewhere else ())

    def _filled(self, resource: str) -> str:
        for alias in ("tables", "database", "tap-pipeline"):
            if f"<{alias}>" in resource:
                resource = resource.replace(f"<{alias}>", self._key(alias))
        if "<template>" in resource:
            (template,) = ec2_backends[THERE][REGION].launch_templates.values()
            return resource.replace("<template>", template.id)
        return resource

    def _key(self, alias: str) -> str:
        owner = HOME if alias == "tap-pipeline" else THERE
        names = {f"alias/{alias}", f"alias/tap/{alias}"}
        return next(arn.id for arn in kms_backends[owner][REGION].keys.values() if names & set(arn.aliases))


@pytest.fixture(scope="module")
def deployed(assembly: Path) -> Iterator[Deployed]:
    with EmulatedAccount(start=datetime(2027, 3, 1, tzinfo=UTC), tooling=HOME, production=THERE) as account:
        for stack in read_assembly(assembly).stacks:
            deploy(account, stack)
        yield Deployed(account)


def there(service: str, name: str, region: str = REGION) -> str:
    return f"arn:aws:{service}:{region}:{THERE}:{name}"


def home(service: str, name: str) -> str:
    return f"arn:aws:{service}:{REGION}:{HOME}:{name}"


TABLE, KEY = there("dynamodb", "table/users"), there("kms", "key/<tables>")
BY_TABLE = {"kms__ViaService": f"dynamodb.{REGION}.amazonaws.com"}
LAUNCHED = {"ec2__LaunchTemplate": there("ec2", "launch-template/<template>")}
FROM_TEMPLATE = {**LAUNCHED, "ec2__IsLaunchTemplateResource": "true"}
TO_EC2 = {"iam__PassedToService": "ec2.amazonaws.com"}
TO_MONITORING = {"iam__PassedToService": "monitoring.rds.amazonaws.com"}
MONITORED = f"arn:aws:iam::{THERE}:role/tap-primary-DatabaseAuroraMonitoringA6DC8C44-1"
FLOWS = there("logs", "log-group:/tap/network/flows:*")
METRIC = there("logs", "log-group:RDSOSMetrics")
PRIMARY = there("cloudformation", "stack/tap-primary/id")
OWN = {"cloudformation__ChangeSetName": "tap-reconcile-1"}
WATCH = home("codebuild", "project/tap-watch")

# Role, action, resource, condition keys, and the page that says that the role needs it.
NEEDED: tuple[tuple[str, str, str, Mapping[str, str], str], ...] = (
    ("tap-early-call", "events:PutEvents", home("events", "event-bus/tap-alarms"), {}, "eventbridge cross-account"),
    (
        "tap-primary-NetworkFlowLog",
        "logs:DescribeLogStreams",
        there("logs", "log-group:/tap/network/flows:*"),
        {},
        "vpc flow-logs-iam",
    ),
    ("tap-primary-DatabaseAuroraMonitoring", "logs:CreateLogGroup", METRIC, {}, "rds USER_Monitoring.OS"),
    ("tap-replica-2-DatabaseAuroraMonitoring", "logs:CreateLogGroup", METRIC.replace(REGION, "us-west-2"), {}, "same"),
    ("tap-replica-3-DatabaseAuroraMonitoring", "logs:CreateLogGroup", METRIC.replace(REGION, "eu-west-1"), {}, "same"),
    ("tap-primary-DatabaseRotation", "rds:ModifyDBCluster", there("rds", "cluster:tap-database"), {}, "its code"),
    ("tap-primary-DatabaseRotation", "rds:DescribeDBClusters", there("rds", "cluster:tap-database"), {}, "its code"),
    ("tap-primary-Visitor", "s3:ListAllMyBuckets", "*", {}, "synthetics roles"),
    (
        "tap-primary-Visitor",
        "cloudwatch:PutMetricData",
        "*",
        {"cloudwatch__namespace": "CloudWatchSynthetics"},
        "same",
    ),
    *(
        ("tap-fleet", f"dynamodb:{each}", TABLE, {}, "docs/application.md")
        for each in ("BatchGetItem", "GetItem", "PutItem", "UpdateItem", "DeleteItem")
    ),
    ("tap-fleet", "dynamodb:Query", f"{TABLE}/index/by-email", {}, "docs/access-patterns.md"),
    ("tap-fleet", "kms:Decrypt", KEY, BY_TABLE, "dynamodb encryption.usagenotes"),
    ("tap-fleet", "ssm:GetParameter", there("ssm", "parameter/tap/tables/users"), {}, "docs/application.md"),
    (
        "tap-fleet",
        "elasticache:Connect",
        there("elasticache", "replicationgroup:tap-cache"),
        {},
        "auth-iam",
    ),
    ("tap-fleet", "ssmmessages:OpenDataChannel", "*", {}, "systems-manager session-manager"),
    ("tap-fleet", "ec2:DescribeTags", "*", {}, "the CloudWatch agent finds its group"),
    ("tap-fleet", "cloudwatch:PutMetricData", "*", {"cloudwatch__namespace": "CWAgent"}, "the CloudWatch agent"),
    *(
        ("tap-act", "ec2:RunInstances", there("ec2", each), FROM_TEMPLATE, "autoscaling launch template support")
        for each in ("launch-template/<template>", "instance/new", "volume/new", "security-group/sg-1")
    ),
    ("tap-act", "ec2:RunInstances", f"arn:aws:ec2:{REGION}::image/ami-1", FROM_TEMPLATE, "same"),
    ("tap-act", "ec2:RunInstances", there("ec2", "subnet/subnet-1"), LAUNCHED, "same"),
    ("tap-act", "ec2:RunInstances", there("ec2", "network-interface/new"), LAUNCHED, "same"),
    ("tap-act", "ec2:CreateTags", there("ec2", "volume/new"), {"ec2__CreateAction": "RunInstances"}, "same"),
    ("tap-act", "ec2:CreateLaunchTemplateVersion", there("ec2", "launch-template/<template>"), {}, "ec2 reference"),
    ("tap-act", "iam:PassRole", f"arn:aws:iam::{THERE}:role/tap-fleet-us-east-1", TO_EC2, "same"),
    ("tap-act", "iam:PassRole", MONITORED, TO_MONITORING, "rds USER_Monitoring.OS"),
    ("tap-act", "kms:CreateGrant", KEY, BY_TABLE, "dynamodb encryption.usagenotes"),
    ("tap-act", "dynamodb:PutResourcePolicy", there("dynamodb", "table/audit_logs"), {}, "dynamodb reference"),
    ("tap-reconcile", "cloudformation:CreateChangeSet", PRIMARY, OWN, "cloudformation reference"),
    ("tap-reconcile", "cloudformation:ExecuteChangeSet", PRIMARY.replace("primary", "replica-2"), OWN, "same"),
    ("tap-pipeline-PipelineRole", "codebuild:StartBuild", home("codebuild", "project/tap-analyze"), {}, "codepipeline"),
    (
        "tap-pipeline-PipelineRole",
        "lambda:InvokeFunction",
        home("lambda", "function/tap-skip-condition"),
        {},
        "codepipeline rule-reference-LambdaInvoke",
    ),
    ("tap-pipeline-PipelineEvents", "codepipeline:StartPipelineExecution", home("codepipeline", "tap"), {}, "events"),
    ("tap-pipeline-WatchEvents", "codebuild:StartBuild", WATCH, {}, "eventbridge targets"),
    ("tap-pipeline-WatchRollback", "codebuild:StartBuild", WATCH.replace("watch", "rollback"), {}, "same"),
    ("tap-pipeline-WatchSavings", "codebuild:StartBuild", WATCH.replace("watch", "measure-savings"), {}, "same"),
    ("tap-pipeline-Skip", "dynamodb:GetItem", home("dynamodb", "table/tap-journal"), {}, "its code"),
    ("tap-pipeline-Skip", "kms:Decrypt", home("kms", "key/<tap-pipeline>"), {}, "dynamodb encryption.usagenotes"),
    ("tap-pipeline-Skip", "codepipeline:PutJobFailureResult", "*", {}, "its code"),
)
OTHER_ROLE = f"arn:aws:iam::{THERE}:role/tap-act"
ITEMS = ("BatchGetItem", "GetItem", "GetRecords", "PartiQLSelect", "Query", "Scan")
READERS = ("tap-analyze", "tap-reconcile", "tap-foresee", "tap-early-call")

FORBIDDEN: tuple[tuple[str, str, str, Mapping[str, str]], ...] = (
    *((role, f"dynamodb:{each}", TABLE, {}) for role in READERS for each in ITEMS),
    *((role, "dynamodb:GetRecords", f"{TABLE}/stream/1", {}) for role in READERS),
    *((role, "kms:Decrypt", KEY, BY_TABLE) for role in READERS),
    *((role, "elasticache:Connect", there("elasticache", "replicationgroup:tap-cache"), {}) for role in READERS),
    # Tables, templates, keys and roles by name.
    ("tap-act", "dynamodb:UpdateTable", there("dynamodb", "table/somebodys"), {}),
    ("tap-act", "dynamodb:PutResourcePolicy", there("dynamodb", "table/somebodys"), {}),
    ("tap-act", "dynamodb:DeleteTable", TABLE, {}),
    ("tap-act", "ec2:CreateLaunchTemplateVersion", there("ec2", "launch-template/lt-other"), {}),
    ("tap-act", "ec2:RunInstances", there("ec2", "launch-template/lt-other"), FROM_TEMPLATE),
    ("tap-act", "ec2:RunInstances", there("ec2", "instance/new"), {}),
    ("tap-act", "ec2:RunInstances", there("ec2", "instance/new"), LAUNCHED),  # a type that is not the template's
    ("tap-act", "ec2:RunInstances", f"arn:aws:ec2:{REGION}::image/ami-1", LAUNCHED),
    ("tap-act", "ec2:CreateTags", there("ec2", "instance/i-1"), {}),
    ("tap-act", "ec2:CreateTags", there("ec2", "subnet/s-1"), {"ec2__CreateAction": "RunInstances"}),
    ("tap-act", "ec2:CancelCapacityReservation", there("ec2", "capacity-reservation/cr-1"), {}),
    ("tap-act", "iam:PassRole", OTHER_ROLE, TO_EC2),
    ("tap-act", "iam:PassRole", OTHER_ROLE, TO_MONITORING),
    ("tap-act", "iam:PassRole", f"arn:aws:iam::{THERE}:role/tap-fleet-us-east-1", {}),
    ("tap-act", "kms:Decrypt", there("kms", "key/<database>"), BY_TABLE),
    ("tap-act", "kms:Decrypt", KEY, {}),  # by itself, and not through DynamoDB
    ("tap-act", "kms:PutKeyPolicy", KEY, {}),
    ("tap-act", "cloudformation:CreateChangeSet", PRIMARY, OWN),
    # Change sets of the stacks that an action changes alone, and as nobody else.
    *(
        ("tap-reconcile", f"cloudformation:{each}", there("cloudformation", f"stack/{stack}/id"), OWN)
        for each in ("CreateChangeSet", "DeleteChangeSet", "ExecuteChangeSet")
        for stack in ("tap-roles", "tap-keys", "tap-keys-2", "CDKToolkit", "tap-pipeline")
    ),
    ("tap-reconcile", "cloudformation:CreateChangeSet", PRIMARY, {"cloudformation__ChangeSetName": "other"}),
    ("tap-reconcile", "cloudformation:CreateChangeSet", PRIMARY, {**OWN, "cloudformation__RoleArn": OTHER_ROLE}),
    ("tap-reconcile", "cloudformation:UpdateStack", PRIMARY, {}),
    ("tap-reconcile", "iam:PassRole", OTHER_ROLE, {"iam__PassedToService": "cloudformation.amazonaws.com"}),
    ("tap-early-call", "events:PutEvents", there("events", "event-bus/default"), {}),
    ("tap-early-call", "dynamodb:DeleteTable", TABLE, {}),
    ("tap-job-build", "sts:AssumeRole", f"arn:aws:iam::{THERE}:role/tap-act", {}),
    ("tap-job-publish", "dynamodb:PutItem", home("dynamodb", "table/tap-journal"), {}),
    ("tap-job-apply", "dynamodb:DeleteItem", home("dynamodb", "table/tap-journal"), {}),
    ("tap-fleet", "dynamodb:DeleteTable", TABLE, {}),
    ("tap-fleet", "dynamodb:Scan", TABLE, {}),
)


@pytest.mark.parametrize(("role", "action", "resource", "keys", "source"), NEEDED)
def test_a_role_can_do_what_it_must(
    deployed: Deployed, role: str, action: str, resource: str, keys: Mapping[str, str], source: str
) -> None:
    assert deployed.may(role, action, resource, **keys), source


@pytest.mark.parametrize(("role", "action", "resource", "keys"), FORBIDDEN)
def test_and_nothing_else(deployed: Deployed, role: str, action: str, resource: str, keys: Mapping[str, str]) -> None:
    assert not deployed.may(role, action, resource, **keys)


def test_all_roles_are_held_with_their_policies(deployed: Deployed) -> None:
    rights = [Rights.of(arn) for arn in deployed.roles]
    assert len(rights) == 32
    assert all(each is not None and each.policies for each in rights)
    bound = {each.arn.split(":")[4] for each in rights if each is not None and each.boundary is not None}
    unbound = {each.arn.split(":")[4] for each in rights if each is not None and each.boundary is None}
    assert (bound, unbound) == ({THERE}, {HOME})


def test_no_boundary_cuts_what_a_policy_grants(deployed: Deployed) -> None:
    """A right that is granted and never held is a job that fails on its day."""
    cut = []
    for arn in deployed.roles:
        rights = Rights.of(arn)
        assert rights is not None
        for granted in (each for policy in rights.policies for each in policy if each.allows):
            for action in granted.actions:
                for resource in granted.resources:
                    request = AccessRequest(arn, action, resource, arn.split(":")[4])
                    if not isinstance(evaluate((EVERY_RIGHT,), rights.boundary, request), Allowed):
                        cut.append((arn, action, resource))
    assert cut == []


def test_another_account_cannot_read_what_a_policy_shares_with_it(deployed: Deployed, assembly: Path) -> None:
    """PutResourcePolicy has no condition key for whom it lets in: the table's key does not let them."""
    somebody = "arn:aws:iam::333333333333:role/somebody"
    reading = AccessRequest(somebody, "dynamodb:GetItem", TABLE, THERE)
    assert isinstance(evaluate((EVERY_RIGHT,), None, reading, LETS_IN), Allowed)
    (path,) = (assembly / "assembly-tap-pipeline-Production").glob("*Primary*.template.json")
    for each in json.loads(path.read_text())["Resources"].values():
        if each["Type"] == "AWS::KMS::Key":
            policy = statements(
                json.dumps(each["Properties"]["KeyPolicy"]).replace('{"Ref": "AWS::Partition"}', '"aws"')
            )
            for action in ("kms:Decrypt", "kms:CreateGrant", "kms:PutKeyPolicy"):
                asked = AccessRequest(somebody, action, KEY, THERE)
                assert not isinstance(evaluate((EVERY_RIGHT,), None, asked, policy), Allowed)


def test_iam_is_asked_for_every_right_of_an_undo(deployed: Deployed) -> None:
    """Rights that an organization's policy removes show here, before a plan and not in a rollback."""
    iam = deployed.account.client("iam", THERE, REGION)
    wanted = for_undo(permission for action in registry() for permission in action.permissions)
    assert len(wanted) > 30
    act = deployed.role("tap-act")
    assert refused(iam, act, wanted, ("us-east-1", "us-west-2")) == []
    deny = {"Effect": "Deny", "Action": "rds:CreateDBInstance", "Resource": "*"}
    forbidding = {"Version": "2012-10-17", "Statement": deny}
    iam.put_role_policy(RoleName="tap-act", PolicyName="other", PolicyDocument=json.dumps(forbidding))
    try:
        lacking = refused(iam, act, wanted, ("us-east-1",))
    finally:
        iam.delete_role_policy(RoleName="tap-act", PolicyName="other")
    assert lacking
    assert {each.partition(" on ")[0] for each in lacking} == {"rds:CreateDBInstance"}
    assert all(each.endswith(": explicitDeny") for each in lacking)
    assert refused(iam, deployed.role("tap-analyze"), wanted[:1], ("us-east-1",))
    row = rights_of_undo(Where(deployed.account.session(THERE, REGION), REGION), (REGION,))
    assert (row.good, row.actual) == (True, f"{len(wanted)} rights")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.simulate_principal_policy(PolicySourceArn=f"{act}-gone", ActionNames=["s3:GetObject"])
