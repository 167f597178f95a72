"""The page of the plan in force, with its exports and its journal, written to a folder and filed.

It stands above what decides and executes, since the page shows both, and prices of the day beside them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from domain.errors import OptimizerError
from optimizer.costs.read_costs import read_running
from optimizer.dashboard.render import write_dashboard
from optimizer.execute.archive import upload, write_export
from optimizer.execute.lifecycle import Lifecycle
from optimizer.execute.records import History
from optimizer.execute.states import TAKEN
from optimizer.observe.inventory import take_inventory
from optimizer.ports.one_look import one_look

FAILURES = (OptimizerError, ClientError, BotoCoreError)  # what the command line tells in one line
PUBLISHED = (".html", ".json", ".csv")


def write_page(life: Lifecycle, out: Path) -> Path:
    """Write dashboard.html and what lies beside it; the page's path."""
    look = one_look(life.production)
    billed = read_running(look, take_inventory(look, life.regions).governed, others=()).bill
    history = life.journal.history()
    history = replace(history, cost_now=billed.monthly + tables_cost(history) if billed else None)
    write_export(life.journal, out)
    return write_dashboard(history, out, now=life.production.clock.now())


def tables_cost(history: History) -> Decimal:
    """US dollars a month for the tables, as the plan measured their use, after the phases that were accepted.

    Their use of the last month would still hold what a phase has just ended.
    """
    accepted = max((each.phase.number for each in history.phases if each.state in TAKEN), default=0)
    lines = [each for each in (history.evidence and history.evidence.costs) or () if each.part == "tables"]
    return sum((each.after[accepted - 1] if accepted else each.today for each in lines), Decimal(0))


def file_page(life: Lifecycle, out: Path) -> None:
    """File what was written under the plan's hash, in the bucket beside the journal; nothing without either."""
    bucket, current = life.settings.records_bucket, life.journal.current()
    if bucket is None or current is None:
        return
    files = sorted(path for path in out.iterdir() if path.suffix in PUBLISHED)
    life.say(f"Published in {upload(life.tooling, bucket, current.plan.hash, files)}")


@contextmanager
def published(life: Lifecycle, *, when_done: bool = True) -> Iterator[None]:
    """Publish the plan's page when the verb has ended, and also when it failed after it may have written.

    A verb that was refused before it wrote anything publishes nothing, nor does a way back that is refused again
    where it was refused before. With `when_done` False only a failure publishes: the next command of the same job
    does so otherwise.
    """
    written = life.journal.written
    try:
        yield
    except FAILURES:
        if life.journal.written != written:
            file_if_possible(life)
        raise
    if when_done:
        file_if_possible(life)


def file_if_possible(life: Lifecycle) -> None:
    """A dashboard that cannot be filed changes nothing of how the verb ended: it is said, and can be made again."""
    if life.settings.records_bucket is None:
        return
    with tempfile.TemporaryDirectory() as made:
        out = Path(made)
        try:
            write_page(life, out)
            file_page(life, out)
        except FAILURES as error:
            life.say(f"The plan's dashboard was not published: {error} Run publish --out DIR when that is mended.")
