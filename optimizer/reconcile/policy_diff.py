"""The permissions that one IAM policy document lacks against another, when that is their only difference.

Narrower here means literally so: the same statements, with the same actions and conditions, on some
resources less. A document that is narrower in another way is not called so, which is the safe side.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]


def lost_resources(before: Document, after: Document) -> frozenset[str] | None:
    """The resources that `after` allows no more; None when it differs from `before` in anything else."""
    old, new = _by_meaning(before), _by_meaning(after)
    if old.keys() != new.keys():
        return None
    lost: frozenset[str] = frozenset()
    for meaning, resources in old.items():
        if not new[meaning] <= resources or (new[meaning] != resources and '"Effect": "Allow"' not in meaning):
            return None
        lost |= resources - new[meaning]
    return lost


def _by_meaning(document: Document) -> Mapping[str, frozenset[str]]:
    """The resources of each statement, by all else that it says."""
    by_meaning: dict[str, frozenset[str]] = {}
    for each in _statements(document):
        rest = {name: part for name, part in each.items() if name not in ("Action", "Resource", "Sid")}
        meaning = json.dumps({**rest, "Action": sorted(_listed(each, "Action"))}, sort_keys=True)
        by_meaning[meaning] = by_meaning.get(meaning, frozenset()) | frozenset(_listed(each, "Resource"))
    return by_meaning


def _statements(document: Document) -> Sequence[Document]:
    statements = document.get("Statement", [])
    return [statements] if isinstance(statements, Mapping) else list(statements)


def _listed(statement: Document, name: str) -> Sequence[str]:
    """One or many, as text: what is not resolved to text is compared as it stands."""
    value = statement.get(name, [])
    return [str(each) for each in (value if isinstance(value, list) else [value])]
