"""The whole foundation, loaded from the synthesized templates, 61 days old, with the quiet workload."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import aws_cdk as cdk

from cloudformation.assembly import Stack, read_assembly
from domain.environment import load_environment
from domain.sizing import Sizing
from emulator.account import EmulatedAccount
from emulator.services.cloudformation import Deployment, deploy
from emulator.workload.spec import WorkloadEvent, WorkloadSpec
from emulator.workload.workload import Workload
from optimizer.action import Action, Move, When
from optimizer.analyze.measure import measure
from optimizer.decide.policy import Policy
from optimizer.model.decision import Choice, Decision
from optimizer.model.resource import Governed
from optimizer.observe.inventory import take_inventory
from optimizer.ports.aws import Aws
from optimizer.reconcile.drift import Difference, differences
from stages.production import ProductionStage
from tests.environments import CONTEXT

ENVIRONMENT = load_environment(CONTEXT["environment"])
REGIONS = (ENVIRONMENT.primary.name, *(each.name for each in ENVIRONMENT.replicas))
NOW = datetime(2027, 3, 1, 8, tzinfo=UTC)
QUIET = WorkloadSpec(tenants=2_500, requests_per_day=2_000_000)


@cache
def synthesized(sizing_json: str) -> tuple[Stack, ...]:
    out = mkdtemp(prefix="foundation-")
    app = cdk.App(context=CONTEXT, outdir=out, builtin_cloud_formation_validation=False)
    sizing = Sizing.model_validate_json(sizing_json)
    ProductionStage(app, "Production", environment=ENVIRONMENT, sizing=sizing, revision=0)
    app.synth()
    return read_assembly(Path(out)).stage("Production")


@dataclass(frozen=True)
class Foundation:
    """One loaded account, and the optimizer's view of it."""

    account: EmulatedAccount
    workload: Workload
    aws: Aws
    planned: dict[str, Decision] = field(default_factory=dict)

    def governed(self, action: Action, name: str) -> Governed:
        found = take_inventory(self.aws, REGIONS, kinds=(action.kind,)).governed
        return next(each for each in found if each.name == name)

    def decision(self, action: Action, name: str, policy: Policy | None = None) -> Decision:
        policy, governed = policy or Policy(), self.governed(action, name)
        measured = measure(self.aws, [(action, governed)], policy)
        return action.decide(action.collect(self.aws.at(governed.region), governed, measured), policy)

    def moves(self, action: Action, name: str, when: When = When.APPLY) -> list[Move]:
        """The moves of the first decision that was asked for, whose before-state went through JSON as in a plan."""
        if action.id not in self.planned:
            self.planned[action.id] = self.decision(action, name)
        decision = self.planned[action.id]
        assert decision.choice is Choice.APPLY, decision.reason
        before = json.loads(json.dumps(decision.before))
        return [move for move in action.moves(self.governed(action, name), before, decision) if move.when is when]

    def described(self, action: Action, name: str) -> Any:
        governed = self.governed(action, name)
        return json.loads(json.dumps(action.describe(self.aws.at(governed.region), governed)))

    def push(self, sizing: Sizing) -> dict[str, Deployment]:
        """Deploy the code with this sizing, as the next push does; by stack."""
        return {stack.name: deploy(self.account, stack) for stack in synthesized(sizing.model_dump_json())}

    def drift(self, sizing: Sizing) -> Sequence[Difference]:
        return differences(synthesized(sizing.model_dump_json()), self.aws.at).differences


@contextmanager
def foundation(load: WorkloadSpec = QUIET, events: tuple[WorkloadEvent, ...] = ()) -> Iterator[Foundation]:
    accounts = ENVIRONMENT.accounts
    start = NOW - timedelta(days=61)
    with EmulatedAccount(start=start, tooling=accounts.tooling, production=accounts.production) as account:
        workload = Workload(load, account, 0, events=events)
        for stack in synthesized(Sizing.AS_DESIGNED.model_dump_json()):
            deploy(account, stack)
        account.clock.advance_to(NOW)
        session = account.session(accounts.production, REGIONS[0])
        yield Foundation(account, workload, Aws(session, accounts.production, REGIONS[0], account.clock))
