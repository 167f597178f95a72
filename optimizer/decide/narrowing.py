"""Whether one IAM policy document allows no more than another: a subset, statement by statement.

Narrower here means literally so: the same conditions, and actions and resources that were there
before. A document that is narrower in another way counts as broader, which is the safe side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]


def narrows(before: Document, after: Document) -> bool:
    """Whether `after` allows at most what `before` allows, and denies at least what it denies."""
    allowed, denied = _statements(before, "Allow"), _statements(before, "Deny")
    allows = all(any(_within(new, old) for old in allowed) for new in _statements(after, "Allow"))
    denies = all(any(_within(old, new) for new in _statements(after, "Deny")) for old in denied)
    known = len(_all(after)) == len(_statements(after, "Allow")) + len(_statements(after, "Deny"))
    return allows and denies and known


def _within(inner: Document, outer: Document) -> bool:
    """Whether `outer` says all that `inner` says; Sid aside, statements must have the same shape."""
    lists = ("Action", "Resource")
    rest = [{key: each[key] for key in each if key not in (*lists, "Sid")} for each in (inner, outer)]
    return rest[0] == rest[1] and all(set(_list(inner, name)) <= set(_list(outer, name)) for name in lists)


def _statements(document: Document, effect: str) -> Sequence[Document]:
    return [each for each in _all(document) if each.get("Effect") == effect]


def _all(document: Document) -> Sequence[Document]:
    statements = document.get("Statement", [])
    return [statements] if isinstance(statements, Mapping) else list(statements)


def _list(statement: Document, name: str) -> Sequence[str]:
    """One or many, as text: what is not resolved to text is compared as it stands."""
    value = statement.get(name, [])
    return [str(each) for each in (value if isinstance(value, list) else [value])]
