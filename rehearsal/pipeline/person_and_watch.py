"""The person at the gates, and the time that passes there.

At an Observe gate time moves from one tick of the watch's schedule to the next, and the watch's
commands run at each. The person approves when the window in the journal has ended; if
`accept` then holds, the person retries the stage once a day until the gate would have timed out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from domain.clock import Clock
from domain.errors import AwsFailed, Unhealthy
from emulator.core.faults import Crash
from emulator.services.codebuild.builds import Build
from emulator.services.codepipeline.execution import Execution, ExecutionStopped, Gate
from optimizer.decide.approvals import CONFIRM
from rehearsal.pipeline.builds import Ended, Job
from rehearsal.pipeline.definition import PipelineAction
from rehearsal.scenario import StopSpec

OBSERVE = "Observe"
PERSON = "arn:aws:iam::111111111111:user/release-engineer"
SECOND = "arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_platform/lead@example.com"
AFTERWARDS = timedelta(minutes=20)  # how long after the window's end the person looks
RETRY = timedelta(days=1)
GATE_TIMEOUT = timedelta(days=14)  # when the gate declares none
# After a window's end only that end changes, once a day: a judgement every five minutes would show nothing more.
UNHURRIED = timedelta(hours=6)
RETOLD = timedelta(hours=12)
SETTLING = 8  # ticks
SETTLED_BY = timedelta(hours=26)
LISTENED = timedelta(minutes=1)  # the alarms that call look at one-minute data
STRIDE = timedelta(hours=1)  # between runs of the watch, while nothing happens
STEADY = 4  # runs with the same result after which the verdict is steady
BEFORE, AFTER = timedelta(hours=1), timedelta(hours=3)  # around an event or a visit: every tick


@dataclass
class RehearsedWatch:
    """The scheduled project: `job` runs at the ticks of `period` and when an alarm calls, once provisioned.

    `is_on`: the schedule is on. `may_start`: the account may run one more build. `started_by_job`: a build that a job
    started and that begins by then. `called`: the alarms that started the project since the last call.
    `when_called`: the variables that the event's rule gives that build. The job's output is printed when its exit code
    changes, and else twice a day.

    Time moves in larger steps while nothing happens: if the last runs ended the same, no alarm called and no moment
    of `events` is near, the job runs once per `stride`; beside a job at work, which judges as well, only if no event
    began so far (`undisturbed`). None: it runs at every tick.
    """

    job: Job
    period: timedelta
    clock: Clock
    advance_to: Callable[[datetime], None]
    say: Callable[[str], None]
    called: Callable[[], Sequence[str]] = tuple
    stride: timedelta | None = None
    events: Callable[[], Sequence[datetime]] = tuple
    is_on: Callable[[], bool] = lambda: True
    may_start: Callable[[], bool] = lambda: True
    started_by_job: Callable[[datetime], Build | None] = lambda _by: None
    provisioning: timedelta = timedelta(0)  # until a build runs its first command
    undisturbed: Callable[[], bool] = lambda: False
    when_called: Mapping[str, str] = field(default_factory=dict)

    _same: int = field(default=0, init=False)  # consecutive runs with the same exit code
    _last: tuple[int, datetime] | None = field(default=None, init=False)
    _told: tuple[int, datetime] | None = field(default=None, init=False)
    _slowed: bool = field(default=False, init=False)

    def pass_time(self, until: datetime, every: timedelta | None = None) -> bool:
        """Move to `until`, the next start or the next call, whichever is first; True if the watch ran."""
        if every and not self._slowed:
            self._slowed = True
            often = f"{every // timedelta(hours=1)} h, not every {self.period // timedelta(minutes=1)} minutes"
            self.say(f"the window is over: from here the watch is rehearsed every {often}")
        tick = self._tick(every or self._step(until))
        stop = min(tick, until)
        while self.clock.now() < stop:
            self.advance_to(min(self.clock.now() + LISTENED, stop))
            if self.started_by_job(self.clock.now()) is not None:  # and the job ended before it began
                self.run()
                return True
            if alarms := self.called():
                self.say(f"called by {', '.join(alarms)}")
                self.advance_to(self.clock.now() + self.provisioning)
                self.start(self.when_called)
                self._same = 0
                return True
        if tick > until:
            return False
        self.start()
        return True

    def _step(self, until: datetime) -> timedelta:
        """Time until the next run: a stride while nothing happens, else a tick."""
        now = self.clock.now()
        if self.stride is None or self._same < STEADY:
            return self.period
        near = any(each - BEFORE - self.stride <= now <= each + AFTER for each in (*self.events(), until))
        return self.period if near else self.stride

    def _ended(self, code: int) -> None:
        """Count consecutive runs with the same exit code; a pause between runs starts the count again."""
        now = self.clock.now()
        alike = self._last is not None and self._last[0] == code and now - self._last[1] <= max(STRIDE, self.period)
        self._same = self._same + 1 if alike else 1
        self._last = code, now

    def next_start(self, by: datetime) -> datetime | None:
        """Start of the watch's next build beside a waiting job, up to `by`; None if there is none."""
        build = self.started_by_job(by)
        if build is not None:
            self._same = 0  # a job requests it when a phase begins
            return max(build.begins, self.clock.now())
        stands = self._same >= STEADY and self.undisturbed()
        tick = self._tick(self.stride if self.stride and stands else self.period)
        return tick if self.is_on() and tick <= by else None

    def _tick(self, every: timedelta) -> datetime:
        """Time of the next scheduled build's first command."""
        return next_tick(self.clock.now() - self.provisioning, every) + self.provisioning

    def start(self, told: Mapping[str, str] | None = None) -> None:
        """Run the watch, if its schedule is on and the account may run one more build."""
        if not self.is_on():
            return
        if self.may_start():
            self.run(told)
        else:
            self.say("the account runs no further build: this run of the watch is missing")

    def run(self, told: Mapping[str, str] | None = None) -> int:
        """Run the watch once with these variables; returns its exit code, after a crash that of a failed call."""
        held: list[str] = []
        live = False

        def say(line: str) -> None:
            nonlocal live
            if not live and not held:
                held.append(line)  # one line is a verdict; more lines mean that something happens
                return
            if not live:
                self.say(held.pop())
                live = True
            self.say(line)

        try:
            code = self.job.run("Watch", told, say).exit_code
        except Crash as crash:
            self.say(str(crash))
            self._same = 0
            return AwsFailed.exit_code
        self._ended(code)
        now = self.clock.now()
        news = self._told is None or self._told[0] != code or now - self._told[1] >= RETOLD
        if news:
            self._told = (code, now)
        if held and news:
            self.say(held.pop())
        return code

    def settle(self, unsettled: Callable[[], bool] = lambda: False) -> None:
        """Let the schedule run until nothing is unfinished, such as the remains of a dead job, or half a rollback."""
        end = self.clock.now() + SETTLED_BY
        for number in itertools.count():
            steady = self._same >= STEADY and not any(
                each <= self.clock.now() <= each + AFTER for each in self.events()
            )
            self.advance_to(self._tick(self.stride if self.stride and steady else self.period))
            if not self.is_on():
                return
            ended = self.run() in (0, Unhealthy.exit_code) or number >= SETTLING
            if (ended and not unsettled()) or self.clock.now() >= end:
                return


@dataclass
class SimulatedPerson:
    """A person who reads each gate before answering. `window_end` reads the journal by the stage's name."""

    execution: Execution
    watch: RehearsedWatch
    clock: Clock
    advance_to: Callable[[datetime], None]
    window_end: Callable[[str], datetime | None]
    approves_plan: bool
    approves_plan_after: timedelta
    approves_phases: bool = True
    leaves_gates: int = 0  # number of Observe gates that time out before the first answer
    confirms_alone: bool = False
    approves_early_after: timedelta | None = None  # at the first gate of a phase
    retries_for: timedelta = GATE_TIMEOUT  # a stage that holds
    stops: StopSpec | None = None  # the execution, once
    held_since: dict[str, datetime] = field(default_factory=dict)
    _hurried: set[str] = field(default_factory=set)

    def answer(self, gate: Gate, action: PipelineAction) -> None:
        """Wait as long as this gate takes, then answer it, unless the watch has answered."""
        if action.name != OBSERVE:
            self.advance_to(self.clock.now() + self.approves_plan_after)
            who = SECOND if action.name == CONFIRM and not self.confirms_alone else PERSON
            self._decide(gate, self.approves_plan, "" if self.approves_plan else "not now", who)
            return
        if self.stops is not None and self.stops.stage == gate.stage:
            after, self.stops = timedelta(hours=self.stops.after_hours), None
            self._stop(gate, gate.opened_at + after)
        timeout = gate.opened_at + (action.timeout or GATE_TIMEOUT)
        if self.leaves_gates:
            self.leaves_gates -= 1
            self._let_pass(gate, timeout)
            return
        if self.approves_early_after is not None and gate.stage not in self._hurried:
            self._hurried.add(gate.stage)
            self._decide_early(gate, gate.opened_at + self.approves_early_after)
            return
        end = self.window_end(gate.stage)
        while gate.approved is None and self.clock.now() < timeout:
            if end is None or self.clock.now() >= end + AFTERWARDS:
                if (moved := self.window_end(gate.stage)) == end:
                    self._decide(gate, self.approves_phases, "the window has ended")
                end = moved  # an override restarted the window meanwhile
                continue
            self.watch.pass_time(min(end + AFTERWARDS, timeout))

    def _let_pass(self, gate: Gate, timeout: datetime) -> None:
        """Let the gate wait without an answer; the watch continues, and may answer."""
        while gate.approved is None and self.clock.now() < timeout:
            over = (end := self.window_end(gate.stage)) is not None and self.clock.now() >= end
            self.watch.pass_time(timeout, UNHURRIED if over else None)

    def retries(self, stage: str, ended: Ended) -> bool:  # noqa: ARG002 -- a person reads why; this one always waits
        """Wait a day, with the watch running, and return whether to retry the stage."""
        since = self.held_since.setdefault(stage, self.clock.now())
        if self.clock.now() + RETRY > since + self.retries_for:
            return False
        until = self.clock.now() + RETRY
        while self.clock.now() < until:
            self.watch.pass_time(until, UNHURRIED)
        return True

    def _stop(self, gate: Gate, at: datetime) -> None:
        """Stop the execution while its gate waits, unless the watch answered first."""
        while gate.approved is None and self.clock.now() < at:
            self.watch.pass_time(at)
        if gate.approved is None:
            raise ExecutionStopped(f"somebody stopped the execution while {gate.stage} waited for an answer")

    def _decide_early(self, gate: Gate, at: datetime) -> None:
        while gate.approved is None and self.clock.now() < at:
            self.watch.pass_time(at)
        if gate.approved is None:
            self._decide(gate, True, "looks fine to me")

    def _decide(self, gate: Gate, approved: bool, summary: str, who: str = PERSON) -> None:
        self.execution.answer(gate.stage, gate.action, gate.token, approved, summary, who, self.clock.now())


def next_tick(now: datetime, period: timedelta) -> datetime:
    """The next whole multiple of `period` since the Unix epoch, after `now`."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + ((now - epoch) // period + 1) * period
