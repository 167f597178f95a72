"""`python -m optimizer rehearse`: a whole rehearsal in the emulated account, and the account served over HTTP.

The rehearsal's other modules are imported when a command runs: the other verbs do not need them.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import UsageError
from rehearsal.spent import Spent

if TYPE_CHECKING:
    from rehearsal.scenario import Scenario

SCENARIOS = "A YAML file, or one of: " + ", ".join(
    sorted(each.stem for each in (Path(__file__).parent / "scenarios").glob("*.yaml"))
)

app = typer.Typer(
    help="Rehearse the whole life of the platform against an emulated account, in seconds.",
    invoke_without_command=True,
    no_args_is_help=False,
    add_completion=False,
)


@app.callback()
def rehearse(
    context: typer.Context,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for dashboard.html and summary.json.", file_okay=False)
    ] = None,
    scenario: Annotated[str, typer.Option("--scenario", help=SCENARIOS)] = "quiet",
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same run.")] = 0,
    crash_at: Annotated[
        int | None,
        typer.Option(
            "--crash-at", min=1, help="Kill the job at its K-th AWS call; odd: after it landed, even: before."
        ),
    ] = None,
    fault_rate: Annotated[
        float, typer.Option("--fault-rate", min=0, max=0.9, help="Share of the AWS calls that fail.")
    ] = 0.0,
    weeks_after: Annotated[
        int,
        typer.Option(
            "--weeks-after", min=0, max=52, help="Weeks to live on after the plan, to see what it really saved."
        ),
    ] = 0,
    every_tick: Annotated[
        bool, typer.Option("--every-tick", help="Run the watch at every tick of its schedule, however quiet it is.")
    ] = False,
    swept: Annotated[
        str | None,
        typer.Option(
            "--sweep",
            help="requests-per-day=1M..20M, also tenants, growth, spike, policy=A.yaml,B.yaml: only analyze at each "
            "point, and show from where on each action is kept.",
        ),
    ] = None,
    account: Annotated[
        Path | None,
        typer.Option("--account", help="What `survey --record` wrote: its sizes and its load in the scenario's place."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json instead of the table.")] = False,
) -> int:
    """Live 60 days, walk the synthesized pipeline, write the dashboard. Exits 1 unless it ends as the scenario says."""
    if context.invoked_subcommand is not None:
        return 0
    begun = Spent.so_far()
    if out is None:
        raise UsageError("rehearse: --out DIR says where dashboard.html and summary.json go.")
    _require_extra()
    from rehearsal.run import rehearse as run
    from rehearsal.scenario import load_scenario
    from rehearsal.workspace import RehearsalRequest

    chosen = _recorded(account) if account is not None else load_scenario(scenario)
    if swept is not None:
        from rich.console import Console

        from optimizer.cli.output import require_writable
        from rehearsal.sweep import sweep
        from rehearsal.sweep_report import report

        require_writable(out)
        report(sweep(swept, chosen, seed), out, Console())
        return 0
    request = RehearsalRequest(out, chosen, seed, crash_at, fault_rate, weeks_after, every_tick)
    return run(request, as_json=as_json, begun=begun)


@app.command()
def serve(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Loopback port; 0 takes a free one.")],
    scenario: Annotated[str, typer.Option("--scenario", help=SCENARIOS)] = "quiet",
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same account.")] = 0,
) -> int:
    """Serve the emulated account over HTTP on 127.0.0.1 until interrupted."""
    _require_extra()
    from rehearsal.scenario import load_scenario
    from rehearsal.serve_command import serve as run

    return run(port, load_scenario(scenario), seed)


@app.command(name="exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def execute(
    port: Annotated[int, typer.Argument(help="The port of a served account.")],
    verb: Annotated[list[str], typer.Argument(help="-- VERB and its options, as for `python -m optimizer`.")],
) -> int:
    """Run one verb against a served account, with the account's clock."""
    _require_extra()
    from rehearsal.serve_command import execute as run

    return run(port, verb)


@app.command()
def advance(
    port: Annotated[int, typer.Argument(help="The port of a served account.")],
    hours: Annotated[float, typer.Argument(min=0, max=8_784, help="Simulated hours to let pass, as 48 for a window.")],
) -> int:
    """Move a served account's clock forward: everything due in that time happens."""
    _require_extra()
    from rehearsal.serve_command import advance as run

    return run(port, hours)


def _recorded(file: Path) -> Scenario:
    """The scenario of a record; prints the parts of the record that it leaves out."""
    from rehearsal.recorded import scenario_of

    fitted = scenario_of(file)
    for line in fitted.left_out:
        typer.echo(f"Not as recorded: {line}.")
    return fitted.scenario


def _require_extra() -> None:
    if find_spec("moto") is None:
        raise UsageError(
            f"The rehearsal needs packages that are not installed: {sys.executable} -m pip install -e '.[rehearsal]'."
        )
