"""The whole foundation, loaded into the emulated account once, with 61 days of a quiet platform's metrics."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from emulator.account import EmulatedAccount
from emulator.core.call_record import Call
from emulator.workload.workload import Sources
from optimizer.action import Action
from optimizer.actions import registry
from optimizer.analyze.analysis import analyze
from optimizer.analyze.measure import measure
from optimizer.decide.policy import CalendarPolicy, Policy
from optimizer.execute.journal import Journal
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import Purpose
from optimizer.execute.lifecycle import Lifecycle
from optimizer.model.decision import Decision, Json
from optimizer.model.health import Sample
from optimizer.model.plan import Plan
from optimizer.model.resource import Governed
from optimizer.observe.inventory import take_inventory
from optimizer.observe.metrics import Measurements
from optimizer.ports.aws import Aws
from optimizer.ports.sessions import production, tooling
from optimizer.ports.settings import Settings
from pipeline.roles import job_role_name
from rehearsal.job_world import job_world
from rehearsal.report import Progress
from rehearsal.scenario import load_scenario
from rehearsal.session import RehearsalSession
from rehearsal.workspace import PROJECT, RehearsalRequest, Workspace

EVERY_DAY = Policy(calendar=CalendarPolicy(weekend=()))  # the tests go on through weekends
ANEW = timedelta(days=61)
FRESH = timedelta(hours=1)  # so long the analysis of an account in which nothing changes stays the same
JOB = "job"  # the actor of everything the optimizer does here


class EvenService:
    """A service that is always healthy: these tests are not about health."""

    def samples(self, start: datetime, end: datetime) -> list[Sample]:
        steps = int((end - start) / timedelta(minutes=5))
        return [Sample(start + timedelta(minutes=5 * step), 7000.0, None, None, 180.0) for step in range(steps)]

    def baseline(self, now: datetime) -> list[Sample]:
        return self.samples(now - timedelta(days=35), now)


@dataclass
class Foundation:
    """The loaded account, and the optimizer's verbs in it, restricted to the action under test."""

    account: EmulatedAccount
    settings: Settings
    life: Lifecycle
    changes: int = 0  # of the account's configuration
    _analyzed: tuple[int, Plan] | None = None  # at which of those changes
    _measured: int = 0  # of those changes, the ones from which on everything has metrics of its own

    def __post_init__(self) -> None:
        self.account.on_change(self._count)

    def _count(self, _: datetime) -> None:
        self.changes += 1

    @property
    def aws(self) -> Aws:
        return self.life.production

    @property
    def somebody(self) -> Aws:
        """Production by its own user: who tags resources is not the optimizer."""
        account, region = self.account, self.aws.region
        return Aws(account.session(account.production, region), account.production, region, account.clock)

    def plan(self, *actions: Action) -> Plan:
        """A fresh plan with the decisions of these actions alone."""
        now = self.account.clock.now()
        if self._analyzed is None or self._analyzed[0] != self.changes or now - self._analyzed[1].created_at > FRESH:
            with self.account.acting(JOB):
                plan = analyze(self.aws, self.settings, registry(), Policy(), self.life.journal.sizing()).plan
            self._analyzed = self.changes, plan
        plan = self._analyzed[1]
        mine = {action.id for action in actions}
        return replace(plan, decisions=tuple(each for each in plan.decisions if each.action in mine), held=None)

    def approved(self, *actions: Action) -> Plan:
        """The same, in force and approved, when what an earlier rollback made anew has metrics of its own."""
        if self._measured != self.changes:
            self.account.clock.sleep(ANEW.total_seconds())
            self._measured = self.changes
        self.account.clock.sleep(1)  # no two plans are the same
        plan = replace(self.plan(*actions), created_at=self.account.clock.now())
        with self.account.acting(JOB):
            with self.life.journal.lease(Purpose.ANALYZE, "contract") as lease:
                JournalWriter(self.life.journal, lease).propose(plan)
            self.life.approve(plan)
        return plan

    def resources(self, decisions: Sequence[Decision]) -> dict[str, Governed]:
        """The governed resources of these decisions, by ARN."""
        wanted = {each.resource for each in decisions}
        inventory = take_inventory(self.aws, self.life.regions)
        return {each.arn: each for each in inventory.governed if each.arn in wanted}

    def described(self, action: Action, decisions: Sequence[Decision]) -> dict[str, Mapping[str, Json]]:
        """The action's description of each resource now, as JSON values."""
        return {
            arn: json.loads(json.dumps(action.describe(self.aws.at(each.region), each)))
            for arn, each in self.resources(decisions).items()
        }

    def measured(self, action: Action, governed: Sequence[Governed]) -> Measurements:
        return measure(self.aws, [(action, each) for each in governed], Policy())

    @contextmanager
    def passing(self) -> Iterator[None]:
        """All that changes inside is taken back there: the account is the same afterwards, and so is its plan."""
        before = self.changes
        yield
        self.changes = before

    @contextmanager
    def silent(self) -> Iterator[None]:
        """No metric is published, nor any of before."""
        sources = self.account.part(Sources)
        workload, sources.workload = sources.workload, None
        try:
            yield
        finally:
            sources.workload = workload

    def calls(self, since: int) -> list[Call]:
        """The optimizer's calls in production after the first `since` calls."""
        return [call for call in list(self.account.calls)[since:] if call.account == self.account.production]


@contextmanager
def loaded(scratch: Path) -> Iterator[Foundation]:
    """The foundation of the app as it is, deployed by the rehearsal's loader.

    At 2 million requests a day one Aurora reader would be at 47 to 50 % CPU, by the noise of the weeks, where 50 % are
    the limit. A tenth less has every action apply, whenever a test asks.
    """
    quiet = load_scenario("quiet")
    scenario = quiet.model_copy(update={"workload": quiet.workload.model_copy(update={"requests_per_day": 1_800_000})})
    setting = Workspace(RehearsalRequest(scratch / "out", scenario), PROJECT, scratch, Progress(io.StringIO()))
    assembly = setting.synthesize()
    with setting.account_of(assembly) as account:
        life = RehearsalSession(setting, account, assembly)
        life.begin()
        regions = [stack.region for stack in life.production if stack.name != life.production[0].name]
        own = f"arn:aws:iam::{account.tooling}:role/{job_role_name('apply')}"
        environ = {
            **account.credentials.of_job(own).variables,
            "TAP_EXTERNAL_ID": f"tap-{account.tooling}",
            "TAP_JOURNAL_TABLE": "tap-journal",
            "TAP_PRODUCTION_ACCOUNT": account.production,
            "TAP_PRIMARY_REGION": life.aws.region,
            "TAP_SECONDARY_REGIONS": ",".join(dict.fromkeys(each for each in regions if each != life.aws.region)),
            "TAP_ROLE_ARN": f"arn:aws:iam::{account.production}:role/tap-act",
            "TAP_SECOND_APPROVER": "false",
        }
        settings = Settings.from_environ(environ)
        outside = job_world(account, environ)
        home = tooling(outside, settings)
        verbs = Lifecycle(
            production=production(outside, settings),
            tooling=home,
            journal=Journal(home, settings.journal_table),
            settings=settings,
            policy=EVERY_DAY,
            actions={each.id: each for each in registry()},
            service=EvenService(),  # type: ignore[arg-type]
            say=lambda line: None,
        )
        yield Foundation(account, settings, verbs)
