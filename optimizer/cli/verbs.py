"""The command line: `python -m optimizer VERB`.

Results go to stdout, progress to stderr. Exit codes are those of the error tree (errors.py); a
usage error exits with 64. `main(argv, world=...)` is the whole program: the rehearsal calls it in
process with a simulated world.

A verb imports what it needs when it runs: `--help` needs none of it, `status` neither the pages nor the survey.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from typer._click.core import Command  # typer carries click inside
from typer._click.exceptions import ClickException

from domain.errors import AwsFailed, Breach, Differences, OptimizerError, UsageError
from optimizer.cli.aws_errors import aws_error_text
from optimizer.cli.output import require_writable, unwritable
from optimizer.cli.survey_command import survey

if TYPE_CHECKING:
    from optimizer.execute.freeze_override import Freeze
    from optimizer.execute.lifecycle import Lifecycle
    from optimizer.model.plan import Plan
    from optimizer.ports.sessions import World

INTERRUPTED = 130  # 128 and SIGINT's number: the shell's own code for Ctrl-C
COMMANDS = "tap_optimizer.commands"  # the entry points by which other packages add commands (setup.py)

app = typer.Typer(
    help="Optimize the cost of a deployed foundation in three gated, reversible phases.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

OutDir = Annotated[Path, typer.Option("--out", help="Folder to write into; made when absent.", file_okay=False)]
PlanFile = Annotated[Path, typer.Option("--plan", help="The plan.json that analyze wrote.")]
PhaseNumber = Annotated[int, typer.Option("--phase", min=1, max=3, help="1 DynamoDB, 2 EC2 and Redis, 3 Aurora.")]
Assembly = Annotated[Path, typer.Option("--assembly", help="Cloud assembly folder, as cdk.out.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines.")]


def main(argv: Sequence[str] | None = None, *, world: World | None = None) -> int:
    """Run one verb; returns the exit code. Every expected failure is one line on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        result = _command()(args=arguments, standalone_mode=False, prog_name="optimizer", obj=world)
    except ClickException as error:
        _tell(f"optimizer: {error.format_message().rstrip('.')}. Try `python -m optimizer --help`.")
        return UsageError.exit_code
    except OptimizerError as error:
        _tell(f"{type(error).__name__}: {error}")
        return error.exit_code
    except (ClientError, BotoCoreError) as error:
        _tell(f"AwsFailed: {aws_error_text(error)}")
        return AwsFailed.exit_code
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise
        _tell(f"UsageError: {unwritable(error)}")
        return UsageError.exit_code
    code = result if isinstance(result, int) else 0
    if code == INTERRUPTED:
        _tell("Interrupted.")
    return code


@app.command()
def analyze(
    context: typer.Context,
    out: OutDir,
    anew: Annotated[
        bool,
        typer.Option("--anew", help="Give the plan up and propose anew; not while a phase is under way."),
    ] = False,
) -> None:
    """Measure the account and propose a plan; while one is under way, publish that one again."""
    from optimizer.actions import registry
    from optimizer.analyze.analysis import analyze as make_plan
    from optimizer.cli.gate_text import gate_text
    from optimizer.cli.page import file_page, write_page
    from optimizer.cli.plan_text import money_lines, plan_lines
    from optimizer.execute.states import CARRIED_OUT

    require_writable(out)
    life = _life(context)
    current = life.journal.current()
    if current is not None and current.state in CARRIED_OUT and not anew:
        plan = current.plan
        life.say(f"Plan {plan.hash[:12]} is {current.state.value}: published again, nothing new is proposed.")
        _freeze(life).deployed(plan, life.settings.revision)
    else:
        record = life.journal.sizing()
        made = make_plan(life.production, life.settings, registry(), life.policy, record)
        plan, measured, money = made.plan, made.measured, made.evidence.money
        life.say(f"Measured {measured.metrics} metrics in {measured.calls} calls over {plan.covered_days:g} days.")
        if money is not None:
            life.say(f"Read the bill: {money.summary}.")
            for line in (*money.notes, *money_lines(money)):
                life.say(line)
        life.propose(plan, made.evidence, current)
    (out / "plan.json").write_text(plan.dump())
    (out / "plan-hash").write_text(plan.hash + "\n")
    (out / "gate-text").write_text(gate_text(plan) + "\n")
    write_page(life, out)
    file_page(life, out)
    for line in plan_lines(plan):
        typer.echo(line)


@app.command()
def approve(context: typer.Context, plan: PlanFile) -> None:
    """Record the approved plan's hash: the first command after the plan's gate."""
    from optimizer.model.plan import read_plan

    document = read_plan(plan)
    who = _life(context).approve(document)
    typer.echo(f"Plan {document.hash[:12]} is approved by {who}.")


@app.command()
def apply(
    context: typer.Context,
    phase: PhaseNumber,
    plan: PlanFile,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for window-end, which the gate shows.")] = None,
    source: Annotated[
        Path | None, typer.Option("--source", help="Folder of this code, kept for the job that undoes the phase.")
    ] = None,
) -> None:
    """Carry out the reversible moves of one phase and open its observation window."""
    from optimizer.cli.page import published
    from optimizer.model.phase import Phase
    from optimizer.model.plan import read_plan

    document = read_plan(plan)
    life = _life(context)
    if out is not None:
        require_writable(out)
    if dry_run:
        for line in life.preview(document, Phase(phase)):
            typer.echo(line)
        return
    with published(life):
        record = life.apply(document, Phase(phase), source)
    end = f"{record.window_end:%Y-%m-%d %H:%M} UTC" if record.window_end else ""
    typer.echo(f"Phase {phase} is {record.state.value}{f' until {end}' if end else ''}.")
    if out is not None:
        (out / "window-end").write_text(f"{end or 'no window, nothing was changed'}\n")


@app.command()
def watch(context: typer.Context) -> int:
    """Judge the phase that is under way; on a breach roll it back. Exits 0, 3 on a breach, 4 when inconclusive.

    A run that an alarm called looks again as soon as there is something new to judge, while anything is under way.
    """
    from optimizer.observe.service_health import until_settled

    life = _life(context)
    for _ in range(life.settings.looks - 1):
        if _look(life) is None:
            return 0
        life.production.clock.sleep(until_settled(life.production.clock.now()).total_seconds())
    return _look(life) or 0


def _look(life: Lifecycle) -> int | None:
    """The exit code of one look; None when nothing is there to judge."""
    from optimizer.cli.page import file_if_possible
    from optimizer.model.health import Health

    try:
        phase, assessment = life.watch()
    except OptimizerError:
        life.tell()  # what was rolled back just now
        file_if_possible(life)
        raise
    if phase is None or assessment is None:
        typer.echo("No window is open.")
        return None
    typer.echo(f"Phase {phase.number}: {assessment.verdict.value}: {assessment.reason}")
    return {Health.HEALTHY: 0, Health.BREACH: Breach.exit_code, Health.INCONCLUSIVE: 4}[assessment.verdict]


@app.command()
def accept(context: typer.Context, phase: PhaseNumber) -> None:
    """After 48 healthy hours: the irreversible moves, then the sizing record."""
    from optimizer.cli.page import published
    from optimizer.model.phase import Phase

    life = _life(context)
    with published(life, when_done=False):  # reconcile follows
        record = life.accept(Phase(phase))
    typer.echo(f"Phase {phase} is {record.state.value}.")


@app.command()
def rollback(
    context: typer.Context,
    phase: PhaseNumber,
    reason: Annotated[str, typer.Option("--reason", help="Why, in words; it is kept and shown.")],
) -> None:
    """Undo a phase and stop the plan; safe to repeat, refused once a one-way move has begun."""
    from optimizer.cli.page import published
    from optimizer.model.phase import Phase

    life = _life(context)
    with published(life), _telling(life):
        record = life.rollback(Phase(phase), reason)
    typer.echo(f"Phase {phase} is {record.state.value}.")


@app.command(name="gate-failed")
def gate_failed(
    context: typer.Context,
    phase: PhaseNumber,
    execution: Annotated[str, typer.Option("--execution", help="The pipeline execution whose gate it was.")],
    timeout_minutes: Annotated[int, typer.Option("--timeout-minutes", min=5, help="How long the gate may wait.")],
) -> None:
    """After a failed Observe gate: roll back when somebody rejected it, ask again when nobody answered."""
    from optimizer.cli.page import published
    from optimizer.model.phase import Phase

    life = _life(context)
    with published(life), _telling(life):
        typer.echo(life.gate_failed(Phase(phase), execution, timedelta(minutes=timeout_minutes)))


@app.command()
def reconcile(context: typer.Context, assembly: Assembly) -> None:
    """Compare a fresh assembly with the account, and bring the deployed templates after both.

    Exits 5 when code and account differ, 2 when a template cannot follow without changing something.
    """
    from optimizer.cli.page import published
    from optimizer.reconcile.compare import compare, production_stacks

    life = _life(context)
    with published(life):
        stacks = production_stacks(assembly, life.journal.sizing().revision)
        report = compare(stacks, life.production)
        if life.agree(stacks):
            report = compare(stacks, life.production)  # what was executed is looked at again
        phases = life.reconciled()
    typer.echo(f"{report.compared} properties compared, 0 differences.")
    for phase in phases:
        typer.echo(f"Phase {phase.number} is reconciled.")


@app.command(name="drift-check")
def drift_check(context: typer.Context) -> None:
    """Ask CloudFormation, before a plan's first move, whether it would change a stack that nobody changed.

    Exits 5 when it would: reconcile would be refused after the plan's one-way moves. Nothing is changed.
    """
    from optimizer.execute.notifications import send
    from optimizer.execute.records import PlanState
    from optimizer.model.phase import Phase
    from optimizer.reconcile.drift_check import ask_stacks, held_text, plan_held

    life = _life(context)
    current = life.journal.current()
    waits = current is not None and current.state is PlanState.PROPOSED
    if current is None or not waits or not any(current.plan.to_apply(phase) for phase in Phase):
        typer.echo("No plan waits for its first move: nothing to ask.")
        return
    report = ask_stacks(life.production, life.regions)
    if found := report.found:
        topic = life.settings.topic_arn
        for subject in send([plan_held(found)], current.plan.hash, life.journal, life.tooling, topic):
            _tell(f"mail sent: {subject}")
        raise Differences(held_text(found))
    typer.echo(f"CloudFormation would change nothing in {', '.join(report.stacks)}.")


@app.command()
def sizing(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="File for the sizing record.", dir_okay=False)],
) -> None:
    """Write the sizing record in force, for synthesis to read."""
    record = _life(context).journal.sizing()
    require_writable(out.parent)
    out.write_text(record.model_dump_json(indent=2) + "\n")
    typer.echo(f"Sizing revision {record.revision} is in {out}.")


@app.command(name="freeze-check")
def freeze_check(context: typer.Context, assembly: Assembly) -> None:
    """Refuse to deploy changed infrastructure while a plan is under way, unless a person has overridden that."""
    from optimizer.execute.freeze_override import read_override
    from optimizer.execute.preconditions import is_under_way
    from optimizer.reconcile.freeze_check import freeze_check as check_freeze

    life = _life(context)
    settings = life.settings
    current = life.journal.current()
    under_way = is_under_way(life.journal)
    override = read_override(life.tooling, settings.override_parameter, settings.revision) if under_way else None
    report = check_freeze(
        assembly,
        plan_under_way=under_way,
        record_revision=life.journal.sizing().revision,
        override=override.reason if override else None,
        tooling=life.tooling,
        production=life.production,
    )
    if current is not None and override is not None and report.changed:
        _freeze(life).override(current.plan, override)
    typer.echo(report)


@app.command(name="measure-savings")
def measure_savings(context: typer.Context) -> None:
    """Measure each settled week since the last acceptance against what it would have cost, keep and publish it."""
    from optimizer.cli.page import file_if_possible
    from optimizer.execute.measure_savings import measure_savings as measure

    life = _life(context)
    measured = measure(life.journal, life.production, life.actions, life.settings.build_id)
    if measured.new:
        file_if_possible(life)
    for week in measured.weeks:
        typer.echo(
            f"Week of {week.start}: ${week.realised:,} saved (${week.low:,} to ${week.high:,}), "
            f"${week.projected:,} expected; ${week.measured:,} in the place of ${week.without:,}"
        )
    if measured.waits:
        typer.echo(measured.waits)
    typer.echo(
        f"{measured.new} weeks measured now; {measured.explorer.requests} Cost Explorer requests, "
        f"${measured.explorer.spent:.2f}."
    )


@app.command()
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show where the plan stands and what to do next, in one screen."""
    from optimizer.cli.status import read_status
    from optimizer.cli.status_text import status_lines
    from optimizer.model.decision import finite

    current = read_status(_life(context))
    if as_json:
        typer.echo(json.dumps(finite(current.document), allow_nan=False))
        return
    for line in status_lines(current):
        typer.echo(line)


@app.command()
def explain(
    context: typer.Context,
    action: Annotated[str, typer.Argument(help="The action's id, as fleet_rightsize.")],
    resource: Annotated[
        str | None, typer.Argument(help="A resource's name or ARN; all of the action's if none.")
    ] = None,
    plan: Annotated[Path | None, typer.Option("--plan", help="A plan.json; the plan in force if none.")] = None,
    as_json: AsJson = False,
) -> None:
    """Explain a decision: each criterion with its arithmetic, what it would do, how to undo it, what it costs."""
    from optimizer.cli.explain import decisions_of, explain_document, explain_lines
    from optimizer.model.plan import read_plan

    document, vetoes = (read_plan(plan), {}) if plan else _plan_in_force(_life(context))
    decisions = decisions_of(document, action, resource)
    if as_json:
        typer.echo(json.dumps([explain_document(document, each, vetoes.get(each.key)) for each in decisions]))
        return
    for number, decision in enumerate(decisions):
        if number:
            typer.echo("")
        for line in explain_lines(document, decision, vetoes.get(decision.key)):
            typer.echo(line)


def _plan_in_force(life: Lifecycle) -> tuple[Plan, Mapping[str, str]]:
    """The plan, and why the check right before applying set some of its decisions aside."""
    from optimizer.execute.preconditions import current_plan

    plan = current_plan(life.journal).plan
    phases = life.journal.phases(plan).values()
    return plan, {key: reason for each in phases for key, reason in (each.vetoed or {}).items()}


@app.command()
def dashboard(context: typer.Context, out: OutDir) -> None:
    """Write the dashboard of the plan in force, its plan.json and its journal."""
    from optimizer.cli.page import write_page

    require_writable(out)
    life = _life(context)
    typer.echo(f"The dashboard is {write_page(life, out)}.")


@app.command()
def publish(context: typer.Context, out: OutDir) -> None:
    """Write what `dashboard` writes, and file it in the bucket beside the journal."""
    from optimizer.cli.page import file_page, write_page

    require_writable(out)
    life = _life(context)
    write_page(life, out)
    file_page(life, out)


app.command()(survey)


@lru_cache(maxsize=1)
def _command() -> Command:
    """The verbs, read from their signatures once a process: a rehearsal runs hundreds."""
    added = entry_points(group=COMMANDS)
    for each in added:
        app.add_typer(each.load(), name=each.name)
    if "rehearse" not in added.names:
        app.command(name="rehearse", context_settings={"ignore_unknown_options": True})(_rehearsal_is_missing)
    return typer.main.get_command(app)


def _rehearsal_is_missing(arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:  # noqa: ARG001
    """Rehearse the whole life of the platform against an emulated account."""
    raise UsageError(
        f"The rehearsal is not installed. In the project's folder: {sys.executable} -m pip install -e '.[rehearsal]'."
    )


def _life(context: typer.Context) -> Lifecycle:
    from optimizer.actions import registry
    from optimizer.decide.policy import Policy
    from optimizer.execute.journal import Journal
    from optimizer.execute.lifecycle import Lifecycle
    from optimizer.observe.service_health import ServiceHealth
    from optimizer.ports.sessions import World, production, tooling
    from optimizer.ports.settings import Settings

    world: World = context.obj or World.real(os.environ)
    settings = Settings.from_environ(world.environ)
    home, away = tooling(world, settings), production(world, settings)
    policy, journal = Policy(), Journal(home, settings.journal_table, settings.design)
    return Lifecycle(
        production=away,
        tooling=home,
        journal=journal,
        settings=settings,
        policy=policy,
        actions={action.id: action for action in registry()},
        service=ServiceHealth(away, policy, journal.balancer),
        say=_tell,
    )


@contextmanager
def _telling(life: Lifecycle) -> Iterator[None]:
    """Afterwards, and also when the verb ended with an error of ours, people get the mails that are due."""
    try:
        yield
    except OptimizerError:
        life.tell()
        raise
    life.tell()


def _freeze(life: Lifecycle) -> Freeze:
    from optimizer.execute.freeze_override import Freeze

    return Freeze(life.journal, life.policy.window, life.settings.build_id, life.say)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 -- progress and errors for people


if __name__ == "__main__":
    sys.exit(main())
