"""The secondary indexes of the tables: keys and copied attributes, and which of them one index can serve.

The stages and the optimizer share this module, and the copying job takes it to Spark: it imports
nothing but the standard library. docs/access-patterns.md says which query each index serves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Index:
    """One global secondary index: its keys, and the attributes it copies (None: all of them)."""

    partition_key: str
    sort_key: str
    copies: tuple[str, ...] | None = ()


SOURCES = ("tenants", "users")
MERGED = "tenants_users"  # where they live together, once they are consolidated
RESERVED = "tap_"  # how every attribute begins that the merged layout adds to an item

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
# Each index of the merged table, and what it serves: one index of `tenants` and one of `users`. Those two
# that copy every attribute share one, so that no other has to.
OVERLOADED: Mapping[str, tuple[str, str]] = {
    "by-login": ("by-domain", "by-email"),
    "by-group": ("by-plan", "by-role"),
    "by-activity": ("by-status", "by-last-login"),
    "by-origin": ("by-region", "by-invitation"),
}


def _overloaded(name: str, *served: Index) -> Index:
    """The index that serves all of `served`: key attributes of its own, and whatever any of them copies."""
    stem = RESERVED + name.removeprefix("by-")
    copied: dict[str, None] = {}
    for index in served:
        if index.copies is None:
            return Index(f"{stem}_pk", f"{stem}_sk", copies=None)
        copied |= dict.fromkeys((index.partition_key, index.sort_key, *index.copies))
    return Index(f"{stem}_pk", f"{stem}_sk", copies=tuple(copied))


INDEXES: Mapping[str, Mapping[str, Index]] = {
    "tenants": _TENANTS,
    "users": _USERS,
    "audit_logs": _AUDIT_LOGS,
    MERGED: {
        name: _overloaded(name, _TENANTS[tenants], _USERS[users]) for name, (tenants, users) in OVERLOADED.items()
    },
}


def merged_indexes(kept: Collection[str]) -> tuple[str, ...]:
    """The indexes of the merged table: those that serve at least one that is kept."""
    return tuple(name for name, served in OVERLOADED.items() if set(served) & set(kept))
