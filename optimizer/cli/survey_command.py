"""`python -m optimizer survey`: any account, read-only, with nothing deployed. What it does is in survey_run.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from domain.errors import UsageError


def survey(
    context: typer.Context,
    regions: Annotated[
        list[str] | None, typer.Option("--regions", help="Regions to look at, by comma; may be given again.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write into; made when absent.", file_okay=False)
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", help="A profile of ~/.aws/config; else the usual credentials.")
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="KEY=VALUE: only resources with this tag.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every resource; so it is without --tag.")] = False,
    bill: Annotated[
        bool, typer.Option("--bill/--no-bill", help="Read the bill: Cost Explorer takes $0.01 for each request.")
    ] = True,
    record: Annotated[
        Path | None,
        typer.Option("--record", help="Also write sizes and figures into this file, for `rehearse --account FILE`."),
    ] = None,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Hash account, names, ARNs and tags in the record, the same ones alike.")
    ] = False,
    policy: Annotated[bool, typer.Option("--policy", help="Print the IAM policy that this needs, and end.")] = False,
) -> None:
    """Look at any account, read-only: what is there, how hard it works, what it costs, what could be smaller."""
    from optimizer.cli.survey_run import policy_text, request_of, run
    from optimizer.ports.sessions import World

    if policy:
        typer.echo(policy_text(regions))
        return
    if out is None:
        raise UsageError("survey: --out DIR says where dashboard.html and the evidence go.")
    if anonymous and record is None:
        raise UsageError("survey: --anonymous says how --record FILE is written; name the file.")
    request = request_of(regions, tag, everything=everything, bill=bill)
    for line in run(context.obj or World.real(os.environ), request, profile, out, record, anonymous=anonymous):
        typer.echo(line)
