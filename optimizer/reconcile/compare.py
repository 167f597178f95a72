"""Code, template and account agree: checked after each acceptance, and before a build may deploy.

`compare` holds the synthesized production templates against the account, property by property.
`freeze_check` guards the build: while a plan is under way, nothing but what is deployed already may
be deployed, and no assembly may carry an older sizing than the record's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cloudformation.assembly import Assembly, Stack, read_assembly
from domain.errors import AssemblyRefused, Differences
from optimizer.ports.aws import Aws
from optimizer.ports.one_look import one_look
from optimizer.reconcile.drift import Difference, DriftReport, differences

PRODUCTION_STAGE = "Production"


def production_stacks(assembly_dir: Path, record_revision: int) -> tuple[Stack, ...]:
    """The assembly's production stacks; raises AssemblyRefused when their sizing is older than the record's."""
    assembly = read_assembly(assembly_dir)
    _refuse_outdated(assembly, record_revision)
    return assembly.stage(PRODUCTION_STAGE)


def compare(stacks: Sequence[Stack], production: Aws) -> DriftReport:
    """Compare what the stacks declare with the account.

    Raises Differences, with a table a person can read, when they do not agree.
    """
    report = differences(stacks, one_look(production).at)
    if report.differences:
        raise Differences(
            f"code and account differ in {len(report.differences)} of {report.compared} compared properties:\n"
            f"{difference_table(report.differences)}\n"
            "Change the account back, or bring the code after it, and reconcile again."
        )
    return report


def difference_table(listed: Sequence[Difference]) -> str:
    """The differences as aligned columns: where, what, what the code says, what is there."""
    rows = [("resource", "property", "code", "account")]
    rows += [
        (f"{each.stack}/{each.name}", each.property, _short(each.declared), _short(each.actual)) for each in listed
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _refuse_outdated(assembly: Assembly, record_revision: int) -> None:
    for stack in assembly.stage(PRODUCTION_STAGE):
        revision = stack.sizing_revision
        if revision is None:
            raise AssemblyRefused(f"{stack.name} carries no sizing revision: nobody can tell what it would undo.")
        if revision < record_revision:
            raise AssemblyRefused(
                f"{stack.name} was synthesized from sizing revision {revision}, the record is at {record_revision}: "
                "deploying it would undo what was accepted since. Build again."
            )
