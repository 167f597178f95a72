"""A small world to execute plans in: one governed table, one made-up action, a service that is well."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from domain.names import GOVERNED_TAG, GOVERNED_VALUE
from domain.sizing import Sizing
from emulator.account import EmulatedAccount
from emulator.services.codepipeline.execution import Execution, Executions
from optimizer.action import Action, Before, Move, Permission, When
from optimizer.decide.policy import Policy
from optimizer.execute.journal import Journal
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import Purpose
from optimizer.execute.lifecycle import Lifecycle
from optimizer.model.decision import Choice, Decision
from optimizer.model.health import Sample, Samples
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan, PlannedAction
from optimizer.model.resource import Governed, Kind
from optimizer.ports.aws import Aws
from optimizer.ports.sessions import production, tooling
from optimizer.ports.settings import Settings
from rehearsal.job_world import job_world

START = datetime(2027, 3, 1, 8, tzinfo=UTC)
TABLE = "orders"
ENVIRON = {
    "TAP_JOURNAL_TABLE": "tap-journal",
    "TAP_PRODUCTION_ACCOUNT": "222222222222",
    "TAP_PRIMARY_REGION": "us-east-1",
    "TAP_ROLE_ARN": "arn:aws:iam::222222222222:role/tap-act",
    "TAP_SECOND_APPROVER": "false",
}


@dataclass
class Service:
    """A service with an even load, whose p99 and silence the test decides from its window on."""

    p99_ms: float | None = 180.0
    since: datetime = START
    until: datetime | None = None

    def samples(self, start: datetime, end: datetime) -> Samples:
        steps = int((end - start) / timedelta(minutes=5))
        return Samples([self._sample(start + timedelta(minutes=5 * step)) for step in range(steps)])

    def baseline(self, now: datetime) -> list[Sample]:
        return self.samples(now - timedelta(days=35), now)

    def _sample(self, at: datetime) -> Sample:
        usual = at < self.since or (self.until is not None and at >= self.until)
        p99 = 180.0 if usual else self.p99_ms
        return Sample(at, None if p99 is None else 7000.0, None, None, p99)


def _describe(aws: Aws, governed: Governed) -> Before:
    table = aws.dynamodb.describe_table(TableName=governed.name)["Table"]
    backups = aws.dynamodb.describe_continuous_backups(TableName=governed.name)["ContinuousBackupsDescription"]
    return {
        "protected": table["DeletionProtectionEnabled"],
        "recovery": backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"],
        "stream": table.get("StreamSpecification", {}).get("StreamEnabled", False),
    }


def _moves(governed: Governed, before: Before, decision: Decision) -> list[Move]:
    def protected(aws: Aws, value: bool) -> None:
        aws.dynamodb.update_table(TableName=governed.name, DeletionProtectionEnabled=value)

    def recovery(aws: Aws, value: bool) -> None:
        aws.dynamodb.update_continuous_backups(
            TableName=governed.name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": value}
        )

    def stream(aws: Aws) -> None:
        specification = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
        aws.dynamodb.update_table(TableName=governed.name, StreamSpecification=specification)

    def settled(aws: Aws) -> bool:
        """UpdateTable is asynchronous, and takes one change at a time."""
        return bool(aws.dynamodb.describe_table(TableName=governed.name)["Table"]["TableStatus"] == "ACTIVE")

    return [
        Move(
            "protect",
            When.APPLY,
            "protect the table",
            is_done=lambda aws: _describe(aws, governed)["protected"],
            do=lambda aws: protected(aws, True),
            undo=lambda aws: protected(aws, before["protected"]),
            is_undone=lambda aws: _describe(aws, governed)["protected"] == before["protected"],
            is_ready=settled,
        ),
        Move(
            "recover",
            When.APPLY,
            "point-in-time recovery on",
            is_done=lambda aws: _describe(aws, governed)["recovery"] == "ENABLED",
            do=lambda aws: recovery(aws, True),
            undo=lambda aws: recovery(aws, before["recovery"] == "ENABLED"),
            is_undone=lambda aws: _describe(aws, governed)["recovery"] == before["recovery"],
        ),
        Move(
            "stream",
            When.ACCEPT,
            "stream on, for good",
            is_done=lambda aws: _describe(aws, governed)["stream"],
            do=stream,
            is_ready=settled,
        ),
    ]


def _resize(sizing: Sizing, decision: Decision) -> Sizing:
    return sizing.model_copy(update={"aurora": sizing.aurora.model_copy(update={"backup_retention_days": 14})})


def _decide(evidence: Before, policy: Policy) -> Decision:
    return Decision("tidy_table", ARN, Choice.APPLY, "always", (), before=evidence)


DESIGNED = {"protected": False, "recovery": "DISABLED", "stream": False}
APPLIED = {"protected": True, "recovery": "ENABLED", "stream": False}


def arn_of(table: str) -> str:
    return f"arn:aws:dynamodb:us-east-1:222222222222:table/{table}"


ARN = arn_of(TABLE)
ACTION = Action(
    id="tidy_table",
    phase=Phase.COMPUTE,
    title="Tidy a table",
    kind=Kind.TABLE,
    queries=lambda governed: (),
    collect=lambda aws, governed, measured: _describe(aws, governed),
    decide=_decide,
    describe=_describe,
    moves=_moves,
    resize=_resize,
    permissions=(Permission("dynamodb:UpdateTable", writes=True),),
)


@dataclass
class World:
    """The objects of one test. `fresh()` is the view of a new process."""

    account: EmulatedAccount
    service: Service
    said: list[str]
    environ: Mapping[str, str] = field(default_factory=lambda: ENVIRON)
    topic: str | None = None
    queue: str = ""
    action: Action = ACTION
    extra: Mapping[str, Action] = field(default_factory=dict)

    def fresh(self) -> Lifecycle:
        settings = Settings.from_environ(self.environ)
        outside = job_world(self.account, self.environ)
        home = tooling(outside, settings)
        return Lifecycle(
            production=production(outside, settings),
            tooling=home,
            journal=Journal(home, settings.journal_table),
            settings=settings,
            policy=Policy(),
            actions={self.action.id: self.action, **self.extra},
            service=self.service,  # type: ignore[arg-type]
            say=self.said.append,
        )

    def listen(self) -> None:
        """Make the notification topic, a queue that reads it, and the pipeline whose gates wait."""
        execution = Execution("tap", "id-1", {"Phase2": ("Apply", "Observe", "Accept")})
        self.account.part(Executions).by_pipeline["tap"] = execution
        sns, sqs = (self.account.client(each, "111111111111", "us-east-1") for each in ("sns", "sqs"))
        self.topic = sns.create_topic(Name="tap-pipeline")["TopicArn"]
        self.queue = sqs.create_queue(QueueName="mail")["QueueUrl"]
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:111111111111:mail")
        self.environ = {**self.environ, "TAP_TOPIC_ARN": self.topic, "TAP_PIPELINE_NAME": "tap"}

    def mail(self) -> list[Mapping[str, str]]:
        """All that was published since the last look."""
        sqs = self.account.client("sqs", "111111111111", "us-east-1")
        found = sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(each["Body"]) for each in found]

    def table(self, name: str = TABLE) -> Before:
        aws = Aws(self.account.session("222222222222", "us-east-1"), "222222222222", "us-east-1", self.account.clock)
        return _describe(aws, Governed(Kind.TABLE, name, arn_of(name), "us-east-1", {}))

    def tag(self, key: str, value: str, name: str = TABLE) -> None:
        client = self.account.session("222222222222", "us-east-1").client("dynamodb")
        client.tag_resource(ResourceArn=arn_of(name), Tags=[{"Key": key, "Value": value}])

    def untag(self, key: str, name: str = TABLE) -> None:
        client = self.account.session("222222222222", "us-east-1").client("dynamodb")
        client.untag_resource(ResourceArn=arn_of(name), TagKeys=[key])

    def plan(self, **changes: object) -> Plan:
        decision = Decision("tidy_table", ARN, Choice.APPLY, "always", (), before=self.table())
        fields = {
            "created_at": self.account.clock.now(),
            "period_start": START - timedelta(days=60),
            "period_end": START,
            "covered_days": 60.0,
            "sizing_revision": 0,
            "code_revision": "abc",
            "actions": (PlannedAction("tidy_table", 2, "Tidy a table", ("stream on, for good",)),),
            "decisions": (decision,),
            "excluded": (),
            "policy": {},
            "costs": None,
            "held": None,
        }
        return Plan(**{**fields, **changes})  # type: ignore[arg-type]

    def approved(self, plan: Plan | None = None) -> Plan:
        plan = plan or self.plan()
        life = self.fresh()
        with life.journal.lease(Purpose.ANALYZE, "test") as lease:
            JournalWriter(life.journal, lease).propose(plan)
        life.approve(plan)
        return plan


def another_table(world: World, name: str) -> Decision:
    """A second governed table, made once, and the decision to tidy it up as well."""
    client = world.account.client("dynamodb", "222222222222", "us-east-1")
    if name not in client.list_tables()["TableNames"]:
        _create(world.account, "222222222222", name, ["pk"], {GOVERNED_TAG: GOVERNED_VALUE})
    return Decision("tidy_table", arn_of(name), Choice.APPLY, "always", (), before=world.table(name))


def created(account: EmulatedAccount) -> World:
    """The journal and the one governed table, in an account that is open."""
    _create(account, "111111111111", "tap-journal", ["pk", "sk"], {})
    _create(account, "222222222222", TABLE, ["pk"], {GOVERNED_TAG: GOVERNED_VALUE})
    return World(account, Service(), [])


@pytest.fixture
def make_world() -> Iterator[Callable[..., World]]:
    """Opens worlds one after the other; each is closed before the next."""
    open_account: list[EmulatedAccount] = []

    def make(**options: object) -> World:
        while open_account:
            open_account.pop().__exit__(None, None, None)
        account = EmulatedAccount(start=START, tooling="111111111111", production="222222222222", **options)  # type: ignore[arg-type]
        account.__enter__()
        open_account.append(account)
        return created(account)

    yield make
    while open_account:
        open_account.pop().__exit__(None, None, None)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


def _create(account: EmulatedAccount, owner: str, name: str, keys: list[str], tags: Mapping[str, str]) -> None:
    account.session(owner, "us-east-1").client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
