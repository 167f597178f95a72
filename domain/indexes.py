"""The secondary indexes of the tables: keys and projected attributes, and their form in the merged table.

The stages and the optimizer share this module, and the copying job takes it to Spark: it imports
nothing but the standard library. docs/access-patterns.md says which query each index serves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Index:
    """One global secondary index: its keys, and the attributes it projects (None: all of them)."""

    partition_key: str
    sort_key: str
    copies: tuple[str, ...] | None = ()


SOURCES = ("tenants", "users")
MERGED = "tenants_users"  # where they live together, once they are consolidated
RESERVED = "tap_"  # how every attribute begins that the merged layout adds to an item
WATERMARK = RESERVED + "watermark"  # of an item that is there for a moment, to be seen in a stream

_TENANTS: Mapping[str, Index] = {
    "by-domain": Index("domain", "pk", copies=None),
    "by-plan": Index("plan", "created_at", copies=("name", "status")),
    "by-status": Index("status", "status_changed_at", copies=("name", "plan")),
    "by-region": Index("home_region", "created_at", copies=("name", "plan")),
}
_USERS: Mapping[str, Index] = {
    "by-email": Index("email", "pk", copies=None),
    "by-role": Index("tenant_role", "email", copies=("name", "status")),
    "by-last-login": Index("tenant_id", "last_login_at", copies=("email", "status")),
    "by-invitation": Index("invitation_id", "invited_at", copies=("email", "tenant_role")),
}
_AUDIT_LOGS: Mapping[str, Index] = {
    "by-actor": Index("actor_id", "occurred_at", copies=None),
    "by-action": Index("tenant_action", "occurred_at"),
    "by-resource": Index("resource_id", "occurred_at", copies=None),
    "by-day": Index("day_shard", "occurred_at"),
}
# The merged table has an index for each index of its sources that is kept, of the same name, with key attributes of its
# own: the sources' names would let an item of the other entity in. The names are short, since each item carries them.
_SHORT: Mapping[str, str] = {
    "by-domain": "d",
    "by-plan": "p",
    "by-status": "s",
    "by-region": "r",
    "by-email": "e",
    "by-role": "o",
    "by-last-login": "l",
    "by-invitation": "i",
}


def _merged(name: str, index: Index) -> Index:
    """An index of the merged table: it projects the attributes of `index`, its keys included, and nothing else."""
    partition = RESERVED + _SHORT[name]
    sort = index.sort_key if index.sort_key == "pk" else f"{partition}2"
    if index.copies is None:
        return Index(partition, sort, copies=None)
    return Index(partition, sort, copies=(index.partition_key, index.sort_key, *index.copies))


INDEXES: Mapping[str, Mapping[str, Index]] = {
    "tenants": _TENANTS,
    "users": _USERS,
    "audit_logs": _AUDIT_LOGS,
    MERGED: {name: _merged(name, index) for name, index in {**_TENANTS, **_USERS}.items()},
}


def merged_indexes(kept: Collection[str]) -> tuple[str, ...]:
    """The indexes of the merged table: those in `kept`."""
    return tuple(name for name in INDEXES[MERGED] if name in kept)


def is_watermark(item: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether an item is none of the application's, but a watermark of ours."""
    return WATERMARK in item and str(item["pk"].get("S", "")).startswith(f"{WATERMARK}#")
