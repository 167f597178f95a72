"""A small platform's items: every index has some, and values that only their index distinguishes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from optimizer.consolidate.mapping import Entity


def platform() -> Iterator[tuple[Entity, dict[str, Any]]]:
    """Four tenants of every plan, Region and status, with four users each; some of all attributes are missing."""
    for n in range(1, 5):
        pk, even = f"TENANT#t{n}", n % 2
        yield Entity.TENANTS, texts(
            pk=pk, sk="PROFILE", name=f"T{n}", domain="same" if n == 1 else f"d{n}", created_at=f"2026-0{9 - n}-01",
            plan="same" if even else "pro", home_region="same" if even else "r2", settings="not copied",
            status="suspended" if even else "active", status_changed_at=f"2026-0{5 + n}-02",
        )  # fmt: skip
        yield Entity.TENANTS, texts(pk=pk, sk="SETTINGS", theme="dark")
        yield Entity.TENANTS, texts(pk=pk, sk="CONTRACT#2026-01-01", until="2027")
        for m in range(1, 5):
            yield Entity.USERS, texts(
                pk=pk, sk=f"USER#u{m}", name=f"U{m}", email="same" if (n, m) == (2, 1) else f"u{m}@t{n}",
                tenant_role=f"t{n}#" + ("admin" if m < 3 else "member"), tenant_id=f"t{n}", status="active",
                last_login_at=f"2026-0{3 + m}-15", secret="not copied",
                **({"invitation_id": "same" if n == 3 else f"i{n}", "invited_at": "2026-02"} if m == 4 else {}),
            )  # fmt: skip


def texts(**values: str) -> dict[str, Any]:
    return {name: {"S": value} for name, value in values.items()}
