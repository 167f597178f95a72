"""Code, template and account agree: checked after each acceptance, and before a build may deploy.

`compare` holds the synthesized production templates against the account, property by property.
`freeze_check` guards the build: while a plan is under way, nothing but what is deployed already may
be deployed, and no assembly may carry an older sizing than the record's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optimizer.aws import Aws
from optimizer.errors import AssemblyRefused, Differences
from optimizer.observe.assembly import Assembly, Stack, read_assembly
from optimizer.observe.deployed import deployed_template, same_template
from optimizer.observe.drift import Difference, DriftReport, differences

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
    report = differences(stacks, production.at)
    if report.differences:
        raise Differences(
            f"code and account differ in {len(report.differences)} of {report.compared} compared properties:\n"
            f"{difference_table(report.differences)}\n"
            "Change the account back, or bring the code after it, and reconcile again."
        )
    return report


def difference_table(found: Sequence[Difference]) -> str:
    """The differences as aligned columns: where, what, what the code says, what is there."""
    rows = [("resource", "property", "code", "account")]
    rows += [(f"{each.stack}/{each.name}", each.property, _short(each.declared), _short(each.actual)) for each in found]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


@dataclass(frozen=True)
class FreezeReport:
    """What the freeze check let pass.

    `changed` names the stacks that differ from what is deployed; None: there was no need to look.
    """

    changed: tuple[str, ...] | None
    override: str | None

    def __str__(self) -> str:
        if self.changed is None:
            return "no plan is under way: changed infrastructure may be deployed."
        what = f"{', '.join(self.changed)} would change" if self.changed else "every stack is as deployed"
        return f"{what}; overridden: {self.override}" if self.override else f"{what}."


def freeze_check(
    assembly_dir: Path,
    *,
    tooling: Aws,
    production: Aws,
    plan_under_way: bool,
    record_revision: int,
    override: str | None,
) -> FreezeReport:
    """Whether this assembly may be deployed now.

    Raises AssemblyRefused when its sizing is older than the record's (deploying it would undo what
    was accepted; no override lifts that), and when a plan is under way and it differs from what is
    deployed, unless `override` gives the recorded reason to deploy all the same.
    """
    assembly = read_assembly(assembly_dir)
    _refuse_outdated(assembly, record_revision)
    if not plan_under_way:  # nothing to freeze; and before the first deployment there is no role to look with
        return FreezeReport(None, override)
    changed = _changed(assembly.stage(""), tooling.at) + _changed(assembly.stage(PRODUCTION_STAGE), production.at)
    if changed and override is None:
        raise AssemblyRefused(
            f"a plan is under way, and {', '.join(changed)} would change: deploying now would disturb the window. "
            "Wait until the plan is done, release the deployed commit again, or record an override."
        )
    return FreezeReport(changed, override)


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


def _changed(stacks: Sequence[Stack], at: Callable[[str], Aws]) -> tuple[str, ...]:
    """The stacks whose template is not the deployed one; one that is not deployed at all is among them."""
    return tuple(
        stack.name
        for stack in stacks
        if not same_template(deployed_template(at(stack.region), stack.name), stack.template)
    )
