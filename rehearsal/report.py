"""Output for a person: progress while the rehearsal runs, one table at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from os import environ
from pathlib import Path
from shutil import get_terminal_size
from textwrap import wrap
from time import monotonic
from typing import TextIO

from rich.console import Console
from rich.table import Table

from domain.clock import Clock
from rehearsal.scenario import Outcome
from rehearsal.summary import PhaseSummary, Summary

ERASE, DIM, PLAIN = "\r\x1b[2K", "\x1b[2m", "\x1b[0m"  # ECMA-48: erase the line, faint, as usual
STYLES = {
    Outcome.ACCEPTED: "green",
    Outcome.ROLLED_BACK: "red",
    Outcome.HELD: "yellow",
    Outcome.KEPT: "default",
    Outcome.SKIPPED: "dim",
}


@dataclass
class Progress:
    """Lines with the simulated time in front, to `stream`.

    On a terminal they wrap at its width, and a line below them shows the elapsed and the remaining time, from
    `usual`: the seconds that the same scenario took here last time. Otherwise only the plain lines are printed.
    """

    stream: TextIO
    clock: Clock | None = None
    usual: float | None = None
    begun: float = field(default_factory=monotonic)

    def say(self, line: str) -> None:
        """Print one line about something important."""
        time = f"{self.clock.now():%a %d %b %H:%M}" if self.clock else " " * 16
        if not self.stream.isatty():
            print(f"{time}  {line}", file=self.stream, flush=True)
            return
        width, margin = get_terminal_size().columns, " " * 18
        text = wrap(line, max(width - 1, 40), initial_indent=f"{time}  ", subsequent_indent=margin) or [time]
        self.stream.write(ERASE + "\n".join(text) + "\n" + self._standing())
        self.stream.flush()

    def by(self, job: str) -> Callable[[str], None]:
        """The same for the lines of a job."""
        return lambda line: self.say(f"  {job}: {line}")

    def end(self) -> None:
        """Remove the line with the times."""
        if self.stream.isatty():
            self.stream.write(ERASE)
            self.stream.flush()

    def _standing(self) -> str:
        passed = monotonic() - self.begun
        left = f"about {max(self.usual - passed, 1):.0f} s left" if self.usual else "the first time: a minute or two"
        text = f"{'':16}  {passed:.0f} s; {left}"
        return text if environ.get("NO_COLOR") else f"{DIM}{text}{PLAIN}"


def show(summary: Summary, differences: Sequence[str], dashboard: Path, console: Console) -> None:
    """Show the end of a rehearsal to a person."""
    table = Table(title=f"Scenario {summary.scenario}, seed {summary.seed}", title_justify="left")
    table.add_column("Phase")
    table.add_column("Done", overflow="fold")
    table.add_column("Judged", overflow="fold")
    for phase in summary.phases:
        table.add_row(f"{phase.phase} {_title(phase.phase)}", _done(phase), _judged(phase), style=STYLES[phase.outcome])
    console.print(table)
    for line in _costs(summary):
        console.print(line)
    cost = summary.monthly_cost
    if cost.stranded:
        console.print(
            f"Commitments that nothing uses any more cost ${cost.stranded:,.0f} a month on top, until they end."
        )
    for each in summary.reactions:
        ended = f"{each.restored_after_minutes:g} min" if each.restored_after_minutes is not None else "not yet"
        console.print(
            f"Phase {each.phase}: from the onset to the first undo {each.undo_after_minutes:g} min, to the service "
            f"as it was {ended}."
        )
    if summary.weeks:
        first, *_, last = summary.weeks
        console.print(
            f"Billed for a week: ${first.usd:,.0f} before the plan, ${last.usd:,.0f} in the last of the "
            f"{len(summary.weeks) - 1} weeks after it."
        )
    console.print(
        f"Code and account differ in {summary.drift_differences} properties; "
        f"the next deployment would change {summary.next_deployment_changes} resources; "
        f"{summary.tenant_resources_touched} resources of tenants were touched; "
        f"{summary.api_calls:,} AWS calls, {summary.metric_calls:,} of them for metrics; "
        f"{summary.wall_seconds:.1f} s, of processors {summary.cpu_seconds:.1f} s."
    )
    console.print(f"Dashboard: {dashboard}", soft_wrap=True)
    if differences:
        console.print("It did not end as the scenario expects: " + "; ".join(differences) + ".", style="red")
    else:
        console.print("It ended as the scenario expects.", style="green")


def _costs(summary: Summary) -> list[str]:
    """The plan's figures, as on the page, and their distance from the account's own count."""
    counted, planned = summary.monthly_cost, summary.planned_cost
    if planned is None:
        return [f"Monthly cost at list price: ${counted.before:,.2f} before, ${counted.after:,.2f} after."]
    pairs = ((planned.before, counted.before), (planned.standing, counted.after))
    apart = max(abs(ours / theirs - 1) for ours, theirs in pairs if theirs) if counted.before else 0.0
    return [
        f"Monthly cost at list price: ${planned.before:,.2f} before, ${planned.standing:,.2f} after "
        f"(${planned.before - planned.standing:,.2f} less).",
        f"The account's own count differs from that by at most {100 * apart:.1f} %.",
    ]


def _title(phase: int) -> str:
    return {1: "DynamoDB", 2: "EC2 and Redis", 3: "Aurora"}[phase]


def _done(phase: PhaseSummary) -> str:
    """The phase's outcome, then for each action the number of resources by outcome."""
    ended: dict[str, Counter[str]] = {}
    for each in phase.actions:
        ended.setdefault(each.id, Counter())[str(each.outcome)] += 1
    lines = [f"{id}: {', '.join(f'{n} {outcome}' for outcome, n in count.items())}" for id, count in ended.items()]
    return "\n".join([phase.outcome.value, *lines])


def _judged(phase: PhaseSummary) -> str:
    if phase.assessment is None or phase.window_hours is None:
        return "not observed"
    return f"{phase.assessment.verdict} over {phase.window_hours:.1f} h: {phase.assessment.reason}"
