"""Long lists: how many rows the page shows, and the rest as data that its search finds.

A thousand opened rows would be a smear and megabytes. The page shows the rows that matter most; the
others are embedded with every repeated text written once, and are shown when they are searched for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from optimizer.dashboard.format import visible
from optimizer.dashboard.view.page import DecisionRow
from optimizer.dashboard.view.status import Mark, Tone
from optimizer.model.decision import Json

WHOLE = 40  # lists up to this length are shown whole
SHOWN = 20  # of longer ones

Row = TypeVar("Row")


@dataclass
class _Written:
    """Texts by their number, so that each is embedded once."""

    texts: dict[Json, int]

    def number(self, value: Json) -> int:
        return self.texts.setdefault(value, len(self.texts))


def split(rows: Sequence[Row]) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """The rows to show, and the rest."""
    shown = len(rows) if len(rows) <= WHOLE else SHOWN
    return tuple(rows[:shown]), tuple(rows[shown:])


def most_telling(rows: Sequence[DecisionRow]) -> list[DecisionRow]:
    """Decisions that change something first, by saving, then those to keep; of a long list those that need a person."""
    if len(rows) <= WHOLE:
        return sorted(rows, key=lambda row: (not row.changes, -row.monthly))
    tones = {Tone.BAD: 0, Tone.WARN: 1, Tone.ACTIVE: 2, Tone.GOOD: 2, Tone.QUIET: 3}
    return sorted(rows, key=lambda row: (tones[row.state.tone], -row.monthly))


def decisions_as_data(rows: Sequence[DecisionRow]) -> Json:
    """Decisions as the page's search reads them: texts once, rows by number."""
    texts, criteria = _Written({}), _Written({})

    def mark(it: Mark) -> int:
        return texts.number(f"{it.tone.value}\n{it.text}")

    listed = [
        [
            row.key,
            texts.number(row.title),
            visible(row.resource),
            texts.number(row.phase),
            mark(row.decision),
            mark(row.state),
            texts.number(row.window),
            mark(row.assessment),
            row.saving,
            texts.number(row.saving_note),
            texts.number(row.criteria_summary),
            texts.number(row.reason),
            [
                [
                    criteria.number((c.name, c.comparison, c.limit, c.unit, c.origin)),
                    visible(c.observed),
                    mark(c.verdict),
                ]
                for c in row.criteria
            ],
        ]
        for row in rows
    ]
    return {
        "texts": [visible(each) for each in texts.texts],
        "criteria": [[visible(cell) for cell in each] for each in criteria.texts],
        "rows": listed,
    }
