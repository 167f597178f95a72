"""One life of the emulated accounts: the first deployment, the scenario's days, one walk of the pipeline."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path

from cloudformation.assembly import Assembly, Stack
from domain.errors import AwsFailed, LeaseLost
from emulator.account import Crash, EmulatedAccount
from emulator.billing.ledger import Billing, stranded, week
from emulator.billing.monthly_cost import monthly_cost
from emulator.iam_actions import by_role, resources_by_role
from emulator.services.autoscaling.health_checks import check_instances
from emulator.services.cloudformation.drift import drift
from emulator.services.cloudformation.false_drift import FalseDrift
from emulator.services.cloudformation.stacks import StackStore
from emulator.services.cloudwatch.alarms import AlarmStates
from emulator.services.codebuild.api import build_limit
from emulator.services.codebuild.builds import PROVISIONING, Builds
from emulator.services.codepipeline.execution import Execution, Executions, Gate
from emulator.services.eventbridge.event_buses import Calls
from emulator.services.eventbridge.event_patterns import gate_failed
from emulator.services.eventbridge.rules_api import RuleStates
from emulator.workload.workload import Workload
from optimizer.model.resource import Governed
from optimizer.observe.inventory import take_inventory
from optimizer.ports.aws import Aws
from rehearsal.actors.declarations import declare
from rehearsal.actors.item_writer import ItemWriter
from rehearsal.actors.pipes import put_pipe
from rehearsal.actors.tenant_tags import Owned, put_tags, tenant_resources_touched
from rehearsal.job_clock import Beside
from rehearsal.journal_reader import JournalReader
from rehearsal.pipeline import conditions
from rehearsal.pipeline.builds import BuildRunner, Job
from rehearsal.pipeline.definition import Project, SynthesizedPipeline
from rehearsal.pipeline.deployments import Deployments, deployed_pipeline
from rehearsal.pipeline.engine import PipelineEngine, Walk
from rehearsal.pipeline.errors import WalkFailed
from rehearsal.pipeline.in_process import in_process, script_in_process, signed_in
from rehearsal.pipeline.person_and_watch import STRIDE, RehearsedWatch, SimulatedPerson
from rehearsal.scenario import ByHand, Push, StopSpec
from rehearsal.summary import MonthlyCost, Summary, WeekCost, metric_calls, phases_of, planned_cost, reactions_of
from rehearsal.workspace import PIPELINE_STACK, RehearsalRequest, Workspace, production_of

REVISION = "5eed" * 10  # the commit that the rehearsal pretends was pushed
EXECUTION = "00000000-0000-4000-8000-000000000001"
PUBLISHED = ("dashboard.html", "evidence.json", "decisions.csv", "journal.json", "plan.json")
NEXT_EXECUTION = "00000000-0000-4000-8000-000000000002"
RETRIES = 8
BEGUN = "begun"  # the moment before the first stage; the others are the engine's milestones
DAY, WEEK = timedelta(days=1), timedelta(weeks=1)
RETRIED = (LeaseLost.exit_code, AwsFailed.exit_code)


class RehearsalSession:
    """One life of the emulated accounts, from the first deployment to the last stage."""

    def __init__(self, setting: Workspace, account: EmulatedAccount, assembly: Assembly) -> None:
        self.setting, self.account = setting, account
        self.request, self.progress = setting.request, setting.progress
        self.stacks = assembly.stacks
        self.home: Stack = assembly.stack(PIPELINE_STACK)
        self.production = production_of(assembly)
        self.deployments = Deployments(account, self.home.region, self.progress.say)
        self.scenario = setting.request.scenario
        self.workload = Workload(
            self.scenario.workload,
            account,
            setting.request.seed,
            events=self.scenario.events,
            jobs=self.scenario.jobs,
        )
        account.part(Billing).spec = self.scenario.billing
        followed = self.scenario.follows_pointers
        region = self.production[0].region
        self.writer = ItemWriter(account, region, followed, setting.request.seed) if followed else None
        self.owned: list[Owned] = []
        self.by_hand_at: list[datetime] = []
        self.watching: RehearsedWatch | None = None
        self.engine: PipelineEngine | None = None
        self.parting: Callable[[str], None] = lambda _moment: None  # called at each moment, before its effects
        self.cost_before = 0.0
        self.weeks: tuple[WeekCost, ...] = ()

    def begin(self) -> None:
        """Deploy everything once, let the scenario's days pass, set its tags."""
        left_out: Counter[str] = Counter()
        for stack in self.stacks:
            done = self.deployments.bring(stack)
            self.progress.say(f"deployed {stack.name} in {stack.region}: {len(done.created)} resources")
            left_out.update(done.left_out)
        kinds = ", ".join(f"{count} {kind.removeprefix('AWS::')}" for kind, count in sorted(left_out.items()))
        self.progress.say(f"left out, the emulated account has no such resources: {kinds or 'nothing'}")
        self._put_sizing()
        declare(self.aws)
        if self.writer is not None:
            self.writer.declare()
        for pipe in self.scenario.pipes:
            put_pipe(self.aws, pipe)
        for fault in self.scenario.false_drift:
            self.account.part(FalseDrift).switch_on(fault.stack, fault.type, fault.property)
        self.account.clock.advance_to(self.scenario.begins)
        self.progress.say(f"{self.scenario.days} days of the workload have passed")
        if self.writer is not None:
            self.writer.begin(self.account.clock.now())
        self._tag(None)
        self.cost_before = monthly_cost(self.account)

    def _put_sizing(self) -> None:
        """Store the sizing record that the scenario starts from, as if it had been accepted."""
        if (record := self.setting.started_from) is not None:
            item = {"pk": {"S": "sizing"}, "sk": {"S": "current"}, "record": {"S": record}}
            client = self.account.client("dynamodb", self.account.tooling, self.home.region)
            client.put_item(TableName="tap-journal", Item=item)

    def walk(self) -> Walk:
        """Run the deployed pipeline to its end or to the stage that fails; once more if the first execution dies."""
        self.parting(BEGUN)
        walk = self._execute(EXECUTION, self.scenario.execution_dies_at, self.scenario.person.stops)
        if not walk.stopped:
            return walk
        self.progress.say("the execution is gone, and the same commit is released again")
        return self._execute(NEXT_EXECUTION, None, None)

    def _execute(self, id: str, dies_at: str | None, stops: StopSpec | None) -> Walk:
        """Run one execution of the deployed pipeline, until it enters the stage `dies_at`, or somebody stops it."""
        pipeline = deployed_pipeline(self.account, self.home)
        stages = {stage.name: tuple(action.name for action in stage.actions) for stage in pipeline.stages}
        execution = Execution(pipeline.name, id, stages)
        self.account.part(Executions).by_pipeline[pipeline.name] = execution
        self.watching = watch = self._watch(pipeline)
        beside = self.account.part(Beside)
        beside.next_start, beside.run = watch.next_start, watch.start
        person = self._person(execution, watch, stops)
        self.engine = PipelineEngine(
            pipeline=pipeline,
            execution=execution,
            source=self.setting.source,
            jobs=self.jobs,
            invoke=conditions.in_process(self.account, self.home.region),
            cloudformation=self.deployments,
            person=person,
            now=self.account.clock.now,
            milestone=self._reached,
            gate_failed=lambda gate: self._react(pipeline, execution, gate),
            say=self.progress.say,
            said_by=self._said_by,
            dies=lambda job: self.scenario.job_dies is not None and self.scenario.job_dies.job == job,
            was_rolled_back=self.journal.is_rolled_back,
            retry_failures=self.request.fault_rate > 0 or self.request.crash_at is not None,
            dies_at=dies_at,
            ends_after=self.scenario.ends_after,
        )
        walk = self.engine.walk()
        watch.settle(self.journal.is_moving)
        return walk

    def become(self, request: RehearsalRequest, scratch: Path) -> None:
        """Continue as a scenario that was the same up to this moment; its files are in `scratch` from now on."""
        source = self.setting.source
        self.request, self.scenario = request, request.scenario
        self.setting = replace(self.setting, request=request, scratch=scratch)
        vars(self.setting)["source"] = source  # nothing writes there: all scenarios of a trunk read it
        self.workload.expect(request.scenario.events)
        vars(self)["jobs"] = replace(self.jobs, scratch=scratch)
        vars(self).pop("branch", None)
        if self.engine is not None and self.watching is not None:
            self.watching.job = self.watching.job.moved(self.jobs)
            self.engine.jobs, self.engine.dies_at = self.jobs, self.scenario.execution_dies_at
            self.engine.ends_after = self.scenario.ends_after
            self.engine.person = self._person(self.engine.execution, self.watching, self.scenario.person.stops)

    def _said_by(self, job: str) -> Callable[[str], None]:
        """The output of a job; the job that the scenario lets die dies after the given line."""
        say, spec = self.progress.by(job), self.scenario.job_dies
        if spec is None or spec.job != job:
            return say

        def die() -> None:
            raise Crash(f"{job} died")

        def say_and_die(line: str) -> None:
            say(line)
            if spec.says in line:
                self.account.schedule(self.account.clock.now() + timedelta(minutes=spec.after_minutes), die)

        return say_and_die

    def _person(self, execution: Execution, watch: RehearsedWatch, stops: StopSpec | None) -> SimulatedPerson:
        """The person who answers the gates, with the scenario's settings."""
        spec = self.scenario.person
        early = spec.approve_early_after_hours
        return SimulatedPerson(
            execution=execution,
            watch=watch,
            clock=self.account.clock,
            advance_to=self.account.clock.advance_to,
            window_end=self.journal.window_end,
            approves_plan=spec.approve_plan,
            approves_plan_after=timedelta(minutes=spec.approve_after_minutes),
            approves_phases=spec.approve_phases,
            confirms_alone=spec.confirms_alone,
            leaves_gates=spec.leaves_gates,
            approves_early_after=None if early is None else timedelta(hours=early),
            retries_for=timedelta(days=spec.retries_for_days),
            stops=stops,
        )

    def live_on(self, weeks: int) -> None:
        """Let weeks pass after the plan, each with the pipeline stack's daily and weekly rules, then run Publish.

        The watch runs once a day at most, while its schedule is on.
        """
        if not weeks:
            return
        pipeline = deployed_pipeline(self.account, self.home)
        slow = [each for each in pipeline.schedules if each.period >= DAY]
        begun, costs, watch = self.account.clock.now(), [self._week(self.scenario.begins - WEEK)], self._watch(pipeline)
        for number in range(weeks):
            for day in range(1, 8):
                self.account.clock.advance_to(begun + number * WEEK + day * DAY)
                watch.start()
                for each in slow:
                    if day % (each.period // DAY) == 0:
                        self._until_it_ends(pipeline.projects[each.project], {})
            self._publish_now()
            costs.append(self._week(begun + number * WEEK))
            self.progress.say(f"week {number + 1} after the plan: billed ${costs[-1].usd:,.2f}")
        self.weeks = tuple(costs)

    def publish(self) -> None:
        """Copy the files that the jobs published beside the journal, also for a plan that failed or was rolled back."""
        pipeline = deployed_pipeline(self.account, self.home)
        project = pipeline.project(pipeline.stages[-1].actions[-1].configuration.get("ProjectName"))
        bucket = project.environment["TAP_RECORDS_BUCKET"]
        head = self.journal.head()
        if head is None:
            self.progress.say("no plan was ever proposed: there is no dashboard")
            return
        s3 = self.account.client("s3", self.account.tooling, self.home.region)
        for name in PUBLISHED:
            answer = s3.get_object(Bucket=bucket, Key=f"plans/{head['hash']}/{name}")
            (self.request.out / name).write_bytes(answer["Body"].read())

    def calls_by_role(self) -> dict[str, dict[str, int]]:
        """IAM actions that each role used, to be compared with its permissions."""
        return by_role(self.account.calls, self.account.credentials)

    def called_on(self) -> dict[str, dict[str, list[str]]]:
        """The resources of those calls, where a call's parameters show its resource."""
        return resources_by_role(self.account.calls, self.account.credentials)

    def summary(self) -> Summary:
        """The figures of the whole rehearsal; its cost on this machine is known only after the comparison."""
        self.progress.say("comparing code and account")
        sizing = self.journal.sizing()
        assembly = self.setting.assembly_with("last", sizing.model_dump_json() if sizing else None)
        differing = drift(self.account, production_of(assembly))
        for each in differing.differences:
            self.progress.say(f"  {each}")
        return Summary(
            scenario=self.scenario.name,
            seed=self.request.seed,
            phases=phases_of(self.journal),
            drift_differences=len(differing.differences),
            next_deployment_changes=self._next_deployment(production_of(assembly)),
            tenant_resources_touched=tenant_resources_touched(self.account.calls, self.owned),
            monthly_cost=MonthlyCost(
                before=self.cost_before, after=monthly_cost(self.account), stranded=round(stranded(self.account), 2)
            ),
            planned_cost=planned_cost(self.journal),
            api_calls=len(self.account.calls),
            metric_calls=metric_calls(list(self.account.calls)),
            reactions=reactions_of(self.journal, self.workload.onsets()),
            weeks=self.weeks,
        )

    def _next_deployment(self, stacks: Sequence[Stack]) -> int:
        """Number of resources that the Production stage would change if the same code were deployed again now."""
        changes = [change for stack in stacks for change in self.deployments.changes(stack)]
        for each in changes:
            self.progress.say(f"  the next deployment: {each}")
        return len(changes)

    @cached_property
    def aws(self) -> Aws:
        """The rehearsal's own access to production."""
        region = self.production[0].region
        session = self.account.session(self.account.production, region)
        return Aws(session, self.account.production, region, self.account.clock)

    @cached_property
    def journal(self) -> JournalReader:
        dynamodb = self.account.client("dynamodb", self.account.tooling, self.home.region)
        return JournalReader(dynamodb, "tap-journal")

    @cached_property
    def branch(self) -> Path:
        """The branch's newest commit; at first the one that the pipeline runs."""
        if not self.scenario.pushes:
            return self.setting.source
        to = self.setting.scratch / "branch"
        shutil.copytree(self.setting.source, to)
        return to

    @cached_property
    def jobs(self) -> BuildRunner:
        return BuildRunner(
            verb=in_process(self.account),
            synthesis=self.setting.synthesis,
            scratch=self.setting.scratch,
            region=self.home.region,
            revision=REVISION,
            say=self.progress.say,
            script=script_in_process(self.account, self.home.region),
            sign_in=signed_in(self.account),
        )

    def _reached(self, milestone: str, at: datetime) -> None:
        """Start everything that the scenario ties to a milestone: events, late tags, manual calls."""
        self.parting(milestone)
        self.workload.milestone(milestone, at)
        self.account.part(AlarmStates).look_soon(self.account)
        check_instances(self.account)
        self._tag(milestone)
        for push in (each for each in self.scenario.pushes if each.on == milestone):
            self._push(push)
        for each in (each for each in self.scenario.by_hand if each.on == milestone):
            self.by_hand_at.append(at + timedelta(minutes=each.after_minutes))
            if each.after_minutes:
                self.account.schedule(self.by_hand_at[-1], partial(self._by_hand, each))
            else:
                self._by_hand(each)

    def _push(self, push: Push) -> None:
        """Put a commit on the branch: projects beside the pipeline use it from their next build on."""
        changed = self.branch / push.file
        text = changed.read_text()
        if push.old not in text:
            raise WalkFailed(f"The scenario replaces a text that {push.file} does not hold: {push.old}")
        self.progress.say(f"pushed: {push.file} changes on the branch")
        changed.write_text(text.replace(push.old, push.new, 1))
        if self.watching is not None:
            self.watching.job = self._prepared(self.watching.job.project)

    def _by_hand(self, call: ByHand) -> None:
        self.progress.say(f"by hand: {call.service} {call.call} {call.parameters}")
        owner = self.account.tooling if call.account == "tooling" else self.account.production
        client = self.account.client(call.service, owner, self.aws.region)
        getattr(client, call.call)(**call.parameters)

    def _tag(self, milestone: str | None) -> None:
        for each in (each for each in self.scenario.taggings if each.on == milestone):
            owned = put_tags(self.aws, self._governed(), each.resource, each.tags, each.instance)
            self.owned += [owned] if owned else []

    def _week(self, start: datetime) -> WeekCost:
        return WeekCost(start=f"{start:%Y-%m-%d}", usd=round(week(self.account, start), 2))

    def _watch(self, pipeline: SynthesizedPipeline) -> RehearsedWatch:
        for schedule in sorted(pipeline.schedules, key=lambda each: each.period):
            job = self._prepared(pipeline.projects[schedule.project])
            clock, say = self.account.clock, self.progress.by("Watch")
            project, builds = pipeline.projects[schedule.project].name, self.account.part(Builds)
            called = Calls(self.account, self.home.region, project)
            return RehearsedWatch(
                job,
                schedule.period,
                clock,
                clock.advance_to,
                say,
                called.since_last,
                None if self.request.every_tick else STRIDE,
                self._events,
                partial(self._is_on, schedule.id),
                self._may_build,
                partial(builds.due, project),
                PROVISIONING,
                self._undisturbed,
                next((each.told for each in pipeline.reactions if each.is_to_alarms(schedule.project)), {}),
            )
        raise WalkFailed("No schedule of the pipeline's stack starts a CodeBuild project: nothing watches the window.")

    def _may_build(self) -> bool:
        """Whether the tooling account may run one more build."""
        return self.account.part(Builds).may_start(build_limit(self.account))

    def _is_on(self, rule: str) -> bool:
        """Whether a rule of the pipeline's stack is enabled, by its logical id."""
        stacks = self.account.part(StackStore).of(self.account.tooling, self.home.region)
        (switch_rule,) = (stack.resources[rule] for stack in stacks if rule in stack.resources)
        return self.account.part(RuleStates).is_on(self.account.tooling, self.home.region, switch_rule)

    def _events(self) -> list[datetime]:
        """Times of past and coming events of the scenario."""
        return [*self.workload.moments(), *self.by_hand_at]

    def _undisturbed(self) -> bool:
        """No event has begun so far, and no job dies."""
        return self.scenario.job_dies is None and not self._events()

    def _react(self, pipeline: SynthesizedPipeline, execution: Execution, gate: Gate) -> None:
        """Start the reactions of the pipeline stack's rules to a gate that was rejected or expired."""
        event = gate_failed(pipeline.name, execution.id, gate)
        for reaction in (each for each in pipeline.reactions if each.matches(event)):
            try:
                self._until_it_ends(pipeline.projects[reaction.project], reaction.overrides(event))
            except WalkFailed as unfinished:
                self.progress.say(f"{unfinished} The schedule goes on with it.")

    def _publish_now(self) -> None:
        pipeline = deployed_pipeline(self.account, self.home)
        self._until_it_ends(pipeline.project(pipeline.stages[-1].actions[-1].configuration.get("ProjectName")), {})

    def _prepared(self, project: Project) -> Job:
        """A project beside the pipeline, with the branch if it has a source."""
        if project.has_source:
            return self.jobs.prepare(project, {"branch": self.branch}, "branch")
        return self.jobs.prepare(project, {}, None)

    def _until_it_ends(self, project: Project, variables: Mapping[str, str]) -> Job:
        """Run a project on the branch outside the pipeline, again after a crash or an injected fault."""
        injected = self.request.fault_rate > 0 or self.request.crash_at is not None
        runs = RETRIES if injected else 1  # AWS refuses the same call again at the same moment
        for _ in range(runs):
            job = self._prepared(project)
            try:
                ended = job.run(project.name, variables, self.progress.by(project.name))
            except Crash as crash:
                self.progress.say(f"{project.name}: {crash}")
                continue
            if ended.exit_code not in RETRIED:
                return job
        raise WalkFailed(f"{project.name} did not end in {runs} runs: see what it said.")

    def _governed(self) -> list[Governed]:
        """All governed resources, those of tenants included."""
        regions = tuple(dict.fromkeys(stack.region for stack in self.production))
        inventory = take_inventory(self.aws, regions)
        owned: Mapping[str, str] = {}
        others = [Governed(each.kind, each.name, each.arn, each.region, owned) for each in inventory.excluded]
        return [*inventory.governed, *others]
