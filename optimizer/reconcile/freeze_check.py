"""The freeze: while a plan is under way, changed infrastructure is not deployed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudformation.assembly import Stack, read_assembly
from cloudformation.template import same_template
from domain.errors import AssemblyRefused
from domain.names import is_reconciled
from optimizer.ports.aws import Aws
from optimizer.reconcile.compare import PRODUCTION_STAGE, _refuse_outdated
from optimizer.reconcile.deployed import deployed_template
from optimizer.reconcile.harmless_changes import losses
from optimizer.reconcile.stack_change_set import StackChanges


@dataclass(frozen=True)
class FreezeReport:
    """The changes that the freeze check let pass.

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
    deployed, unless `override` gives the recorded reason to deploy all the same. An override does not lift
    that a deployment would replace or delete what holds data.
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
    if changed:
        _refuse_losses(assembly.stage(PRODUCTION_STAGE), production.at, changed)
    return FreezeReport(changed, override)


def _refuse_losses(stacks: Sequence[Stack], at: Callable[[str], Aws], changed: Sequence[str]) -> None:
    """Raises AssemblyRefused when a deployment would replace or delete what holds data: no override lifts that.

    After an acceptance that was not reconciled, neither of the templates that a deployment compares is the account.
    """
    for stack in (each for each in stacks if each.name in changed and is_reconciled(each.name)):
        changes = StackChanges(at(stack.region), stack, keep=lambda: None)
        if changes.deployed() is None:
            continue  # nothing of it is there to be lost
        if lost := losses(changes.foresee(stack.template)):
            raise AssemblyRefused(
                f"{stack.name}: deploying it would lose data, and no override lifts that:\n"
                + "\n".join(f"  {each}" for each in lost)
                + "\nNothing was deployed. Reconcile the accepted phase first, or take the change out of the commit."
            )


def _changed(stacks: Sequence[Stack], at: Callable[[str], Aws]) -> tuple[str, ...]:
    """The stacks whose template is not the deployed one; one that is not deployed at all is among them."""
    return tuple(
        stack.name
        for stack in stacks
        if not same_template(deployed_template(at(stack.region), stack.name), stack.template)
    )
