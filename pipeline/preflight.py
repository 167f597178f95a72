"""Checks before the first deployment: reads its preconditions from both accounts, and prints one table.

`python -m pipeline.preflight`, run by `make preflight` and by `make deploy`. It reads with the operator's
credentials: for the tooling account the default ones, or those of TOOLING_PROFILE; for production those of
PRODUCTION_PROFILE. It changes nothing; with `--start-builds` it starts three builds of `tap-watch` at once, since a
new account may run one build or none whatever its quota says. A line that could not be checked gives the reason, and
does not stop the deployment.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from domain.environment import VARIABLE, Environment, EnvironmentInvalid, load_environment
from domain.sizing import Sizing
from pipeline import preflight_checks as checks
from pipeline.preflight_checks import Row, Where

PROJECT = Path(__file__).parents[1]
REFUSED = 2
Answer = Row | Sequence[Row]


@dataclass(frozen=True)
class Question:
    """One check: its subject, and the function that reads it. `ask` may raise AWS's errors."""

    what: str
    ask: Callable[[], Answer]


def questions(environment: Environment, tooling: Where | None, production: Where | None) -> Iterator[Question]:
    """All checks of the accounts for which there are credentials."""
    regions = (environment.primary.name, *(each.name for each in environment.replicas))
    for where, trusted in ((tooling, None), (production, environment.accounts.tooling)):
        for at in (where.at(region) for region in regions) if where else ():
            yield Question(f"bootstrap in {at.region}", partial(checks.bootstrap, at, trusted))
    if tooling:
        yield Question("connection", partial(checks.connection, tooling, environment.connection_arn))
        yield Question("CodeBuild builds at once, by quota", partial(checks.builds_by_quota, tooling))
        yield Question("names of tap-pipeline", partial(checks.free_names, tooling, "tap-pipeline"))
    if production:
        yield from _of_production(environment, production, regions)


def _of_production(environment: Environment, home: Where, regions: Sequence[str]) -> Iterator[Question]:
    sizing, image_id = Sizing.AS_DESIGNED, environment.primary.image_id
    for what, code, wanted in checks.quotas(sizing, len(environment.primary.zones)):
        yield Question(what, partial(checks.quota, home, what, code, wanted))
    certificate = environment.certificate_arn
    yield Question("certificate", partial(checks.certificate, home, certificate, environment.domain))
    yield Question("image", partial(checks.image, home, image_id, sizing.fleet.instance_type))
    yield Question("service-linked roles", partial(checks.service_linked_roles, home))
    for at in (home.at(region) for region in regions):
        yield Question(f"Aurora in {at.region}", partial(checks.aurora, at, sizing))
    yield Question("Redis", partial(checks.redis, home))
    yield Question("Cost Explorer", partial(checks.cost_explorer, home))
    yield Question("Parameter Store, higher throughput", partial(checks.parameter_store, home))
    yield Question("rights of tap-act to undo", partial(checks.rights_of_undo, home, regions))
    yield Question("DynamoDB, access by tags", checks.attribute_based_access)
    yield Question("names of tap-primary", partial(checks.free_names, home, "tap-primary"))
    yield Question("termination protection", partial(checks.termination_protection, home, regions))
    if environment.table_regions:
        yield Question("replicas of the tables' key", partial(checks.table_keys, home, environment.table_regions))


def answers(questions: Iterable[Question]) -> Iterator[Row]:
    """The lines of all checks; one that AWS or the network refuses is a line with the error."""
    for each in questions:
        try:
            answer = each.ask()
        except ClientError as error:
            details = error.response["Error"]
            yield Row(each.what, f"{error.operation_name}: {details.get('Code')}", "an answer", None, "ask by hand")
            continue
        except BotoCoreError as error:
            yield Row(each.what, str(error), "an answer", None, "look at credentials and network")
            continue
        yield from [answer] if isinstance(answer, Row) else answer


def table(rows: Sequence[Row]) -> str:
    """The table: subject, actual value, wanted value, what to do; lines with something to do come first."""
    ordered = sorted(rows, key=lambda row: {False: 0, None: 1, True: 2}[row.good])
    cells = [("", "what", "found", "wanted", "what to do")]
    marks = {True: "ok", False: "NO", None: "?"}
    cells += [(marks[r.good], r.what, r.actual, r.wanted, "" if r.good else r.do) for r in ordered]
    widths = [max(len(row[column]) for row in cells) for column in range(5)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells)


def main(
    argv: Sequence[str] | None = None,
    *,
    project: Path = PROJECT,
    sessions: Callable[[str | None], Any] = lambda profile: boto3.Session(profile_name=profile),
) -> int:
    """Exit code 0 if no checked precondition is missing, 2 otherwise, or if the environment is the example."""
    parser = argparse.ArgumentParser(prog="pipeline.preflight", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--start-builds", action="store_true", help="start three builds of tap-watch at once")
    arguments = parser.parse_args(argv)
    try:
        named = os.environ.get(VARIABLE)
        context = json.loads((project / "cdk.json").read_text())["context"]["environment"]
        environment = load_environment(project / named if named else context)
    except EnvironmentInvalid as error:
        return _refused(str(error))
    if environment.is_example:
        return _refused("the environment still names the example accounts: there is nothing to ask")
    try:
        rows = list(_rows(environment, sessions, start_builds=arguments.start_builds))
    except BotoCoreError as error:
        return _refused(str(error))
    print(table(rows))  # noqa: T201 -- the command's answer
    return REFUSED if any(row.good is False for row in rows) else 0


def _rows(environment: Environment, sessions: Callable[[str | None], Any], *, start_builds: bool) -> Iterator[Row]:
    accounts, region = environment.accounts, environment.primary.name
    places: list[Where | None] = []
    for name, account in (("TOOLING", accounts.tooling), ("PRODUCTION", accounts.production)):
        profile = os.environ.get(f"{name}_PROFILE") or None
        where = Where(sessions(profile), region)
        row = checks.account(where, name.lower(), account)
        yield row
        places.append(where if row.good else None)
    yield from answers(questions(environment, *places))
    if start_builds and places[0]:
        yield from answers([Question("CodeBuild builds at once, tried", partial(checks.start_builds, places[0]))])


def _refused(reason: str) -> int:
    print(f"preflight: {reason}", file=sys.stderr)  # noqa: T201 -- the one clear line
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())
