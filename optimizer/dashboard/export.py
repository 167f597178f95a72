"""The evidence beside the page: the whole history as JSON, and the decisions as a table for spreadsheets.

`evidence.json` holds everything the page was made of, so that the page can be made from it again.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter

from optimizer.dashboard.compose.decisions import state_of
from optimizer.dashboard.compose.savings import saving_of
from optimizer.execute.records import History, PhaseRecord, PlanRecord
from optimizer.model.decision import Criterion, Decision

EVIDENCE, DECISIONS = "evidence.json", "decisions.csv"
COLUMNS = (
    "phase",
    "action",
    "resource",
    "decision",
    "state",
    "reason",
    "saving_usd_a_month",
    "saving_outcome",
    "criterion",
    "origin",
    "observed",
    "comparison",
    "limit",
    "unit",
    "verdict",
    "source",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a spreadsheet tells a formula (OWASP, CSV Injection)

_HISTORY = TypeAdapter(History)


def write_evidence(history: History, out: Path) -> None:
    """Write `evidence.json` and `decisions.csv` into the directory `out`."""
    (out / EVIDENCE).write_bytes(_HISTORY.dump_json(history))
    (out / DECISIONS).write_text(decisions_csv(history), encoding="utf-8", newline="")


def read_evidence(path: Path) -> History:
    """The history in an `evidence.json`."""
    document = json.loads(path.read_bytes())
    document["windows"] = {int(number): window for number, window in document["windows"].items()}
    return _HISTORY.validate_python(document)


def decisions_csv(history: History) -> str:
    """One line for every criterion of every decision; a decision without criteria has one line of its own."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    if history.record is not None:
        for line in _lines(history, history.record):
            writer.writerow([_harmless(cell) for cell in line])
    return text.getvalue()


def _lines(history: History, record: PlanRecord) -> Iterator[tuple[object, ...]]:
    phases = {each.phase: each for each in history.phases}
    for decision in record.plan.decisions:
        phase = record.plan.phase_of(decision)
        start = _decided(decision, record, phases.get(phase))
        for criterion in decision.criteria or (None,):
            yield (phase.number, *start, *_cells(criterion))


def _decided(decision: Decision, record: PlanRecord, phase: PhaseRecord | None) -> tuple[object, ...]:
    saving = saving_of(record, phase, decision)
    money = (saving[0].monthly, saving[1].value) if saving else ("", "")
    state = state_of(decision, record, phase).text
    return (decision.action, decision.resource, decision.choice.value, state, decision.reason, *money)


def _cells(criterion: Criterion | None) -> tuple[object, ...]:
    if criterion is None:
        return ("",) * 8
    it = criterion
    observed = "" if it.observed is None else it.observed
    return (it.name, it.origin.value, observed, it.comparison, it.limit, it.unit, it.verdict.value, it.source)


def _harmless(cell: object) -> object:
    """Text that a spreadsheet would take for a formula is marked as text; numbers stay numbers."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
