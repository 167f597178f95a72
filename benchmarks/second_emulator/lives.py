"""The journal, its lease and a plan's whole life, in a given account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from benchmarks.campaigns.lives import OPENED
from benchmarks.parity.asking import Answers, Sandbox
from benchmarks.second_emulator.moves import aws_of
from domain.errors import OptimizerError
from domain.names import GOVERNED_TAG, GOVERNED_VALUE
from optimizer.decide.policy import Policy
from optimizer.execute.journal import Journal
from optimizer.execute.lease import Lease, Purpose
from optimizer.execute.lifecycle import Lifecycle
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.ports.aws import Aws
from optimizer.ports.settings import Settings
from tests.execute.conftest import ACTION, APPLIED, DESIGNED, ENVIRON, TABLE, Service, World

JOURNAL = "tap-journal"
ACCEPTED = {**APPLIED, "stream": True}


@dataclass
class Given(World):
    """The small world of the engine's tests, in one account that is both production and tooling."""

    aws: Aws | None = None

    def fresh(self) -> Lifecycle:
        assert self.aws is not None
        return Lifecycle(
            production=self.aws,
            tooling=self.aws,
            journal=Journal(self.aws, JOURNAL),
            settings=Settings.from_environ({name: ENVIRON[name] for name in ENVIRON if name != "TAP_ROLE_ARN"}),
            policy=Policy(),
            actions={ACTION.id: ACTION},
            service=self.service,  # type: ignore[arg-type]
            say=self.said.append,
        )


@contextmanager
def tables(aws: Aws, *keys: tuple[str, str]) -> Iterator[None]:
    """Governed tables, each with its name and its keys; they are deleted afterwards."""
    names = [name for name, _ in keys]
    for name, of in keys:
        aws.dynamodb.create_table(
            TableName=name,
            KeySchema=[
                {"AttributeName": key, "KeyType": "RANGE" if number else "HASH"}
                for number, key in enumerate(of.split())
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in of.split()],
            BillingMode="PAY_PER_REQUEST",
            Tags=[{"Key": GOVERNED_TAG, "Value": GOVERNED_VALUE}],
        )
    aws.clock.sleep(60)
    try:
        yield
    finally:
        for name in names:
            aws.dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
            aws.clock.sleep(60)
            aws.dynamodb.delete_table(TableName=name)


def told(call: Callable[[], Any]) -> str:
    """The type of our own refusal; `accepted` if there is none."""
    try:
        call()
    except OptimizerError as error:
        return type(error).__name__
    return "accepted"


def ask_lease(sandbox: Sandbox) -> Answers:
    aws = aws_of(sandbox)
    with tables(aws, (JOURNAL, "pk sk")):
        journal, held = Journal(aws, JOURNAL), list[Lease]()

        def take(purpose: Purpose, who: str) -> str:
            return told(lambda: held.append(journal.lease(purpose, who, timedelta(minutes=1)).__enter__()))

        first, second = take(Purpose.APPLY, "first"), take(Purpose.ACCEPT, "second")
        rollback = take(Purpose.ROLLBACK, "third")
        late = told(held[0].hold)
        held[0].release()  # without effect: another process holds it by now
        another = take(Purpose.ROLLBACK, "fourth")
        aws.clock.sleep(360)
        return {
            "free: taken": first,
            "held: an acceptance": second,
            "held: a rollback takes it over": rollback,
            "the late owner's write": late,
            "held by a rollback: another rollback": another,
            "run out: an acceptance": take(Purpose.ACCEPT, "fifth"),
            "the number rises by one each": held[-1].fence - held[0].fence,
        }


def ask_life(sandbox: Sandbox) -> Answers:
    """Proposed, approved, applied, accepted after two days and reconciled; and one that is rolled back."""
    aws = aws_of(sandbox)
    answers: dict[str, Any] = {}
    with tables(aws, (JOURNAL, "pk sk"), (TABLE, "pk")):
        account = SimpleNamespace(clock=aws.clock, session=lambda *_: sandbox.session)
        world = Given(account, Service(since=sandbox.now()), [], aws=aws)  # type: ignore[arg-type]

        def state() -> str:
            current = world.fresh().journal.current()
            assert current is not None
            return world.fresh().journal.phase(current.plan, Phase.COMPUTE).state.value

        def approved(created: timedelta) -> Plan:
            aws.clock.sleep(created.total_seconds())
            return world.approved()

        plan = approved(timedelta(hours=1))
        answers["rolled back: apply"] = told(lambda: world.fresh().apply(plan, Phase.COMPUTE))
        answers["rolled back: as applied"] = world.table() == APPLIED
        answers["rolled back: roll back"] = told(lambda: world.fresh().rollback(Phase.COMPUTE, "asked"))
        answers["rolled back: as designed"] = world.table() == DESIGNED
        answers["rolled back: state"] = state()
        plan = approved(timedelta(days=8))
        answers["accepted: apply"] = told(lambda: world.fresh().apply(plan, Phase.COMPUTE))
        answers["accepted: too early"] = told(lambda: world.fresh().accept(Phase.COMPUTE))
        aws.clock.sleep(OPENED.total_seconds())
        answers["accepted: accept"] = told(lambda: world.fresh().accept(Phase.COMPUTE))
        answers["accepted: as accepted"] = world.table() == ACCEPTED
        answers["accepted: reconciled"] = told(lambda: world.fresh().reconciled())
        answers["accepted: state"] = state()
        answers["accepted: sizing revision"] = world.fresh().journal.sizing().revision
    return answers
