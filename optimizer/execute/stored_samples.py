"""Samples as the journal stores them: one list for each field, a quarter of the text of one object for each sample."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from itertools import starmap
from operator import attrgetter

from pydantic import TypeAdapter

from optimizer.model.health import Sample

FIELDS = tuple(each.name for each in fields(Sample))
AT, *MEASURED = FIELDS
_COLUMNS = TypeAdapter(dict[str, list[float | None]])


def samples_text(samples: Sequence[Sample]) -> str:
    """The samples as JSON: by field, in their order; `at` in Unix seconds."""
    columns: dict[str, list[float | None]] = {AT: [each.at.timestamp() for each in samples]}
    columns |= {name: list(map(attrgetter(name), samples)) for name in MEASURED}
    return json.dumps(columns, separators=(",", ":"))


def samples_of(text: str) -> tuple[Sample, ...]:
    """The samples in a JSON text. Raises ValueError (pydantic's is one) where it holds anything else."""
    columns = _COLUMNS.validate_json(text, strict=True)
    if columns.keys() != set(FIELDS):
        raise ValueError(f"samples have the fields {', '.join(FIELDS)}, not {', '.join(columns)}")
    if None in columns[AT]:
        raise ValueError("samples without a time")
    at = (datetime.fromtimestamp(seconds, UTC) for seconds in columns[AT] if seconds is not None)
    return tuple(starmap(Sample, zip(at, *(columns[name] for name in MEASURED), strict=True)))
