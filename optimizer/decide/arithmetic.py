"""Arithmetic on what may not have been measured: of None comes None, and so NO_DATA."""

from __future__ import annotations

from collections.abc import Sequence


def times(value: float | None, factor: float | None) -> float | None:
    return None if value is None or factor is None else value * factor


def ratio(value: float | None, whole: float) -> float | None:
    return None if value is None or not whole else value / whole


def largest(values: Sequence[float | None]) -> float | None:
    """None when one of them is missing: it could have been the largest."""
    known = [each for each in values if each is not None]
    return max(known) if known and len(known) == len(values) else None


def total(values: Sequence[float | None]) -> float | None:
    """None when one of them is missing."""
    known = [each for each in values if each is not None]
    return sum(known) if len(known) == len(values) else None
