"""Brings the deployed templates after the account, stack by stack, by change sets that touch nothing.

After an acceptance the account is as the code says, and the deployed templates are as before: the
next deployment would undo or break. Each stack gets a drift-aware change set from the new template;
it is executed only when every change in it is harmless (decide/change_set.py). What CloudFormation
cannot read (as a replication group's number of shards) it would change blindly; such a resource
leaves the stack, retained, and is imported again as it is
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-import-resolve-drift.html).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cloudformation.assembly import Stack
from cloudformation.template import Template, same_template
from domain.errors import ReconcileRefused
from domain.names import is_reconciled
from optimizer.ports.aws import Aws
from optimizer.reconcile.attributes import references_to
from optimizer.reconcile.deployed import deployed_template
from optimizer.reconcile.harmless_changes import Refusal, refusals
from optimizer.reconcile.reimport import adoptable, left
from optimizer.reconcile.stack_change_set import ChangeSet, Keep, StackChanges

Note = Callable[[str], None]


@dataclass(frozen=True)
class TemplateUpdate:
    """Works under the plan's lease: `keep` renews it, `note` writes what happened into the journal.

    `allow` raises Stopped when the kill switch forbids a change; it is called right before each execution.
    """

    production: Aws
    allow: Callable[[], None]
    keep: Keep
    note: Note

    def bring(self, stacks: Sequence[Stack]) -> bool:
        """Bring every stack to its template, in order; whether anything was executed.

        Stacks that hold nothing of the optimizer's are not asked: a note says which of them differ, and who deploys
        them. Raises ReconcileRefused for a stack that is not deployed, and for the first change that is not harmless:
        what was brought before stays.
        """
        for stack in (each for each in stacks if not is_reconciled(each.name)):
            self._tell(stack)
        executed = [self._bring(stack) for stack in stacks if is_reconciled(stack.name)]
        return any(executed)

    def _tell(self, stack: Stack) -> None:
        """Say of a stack that no role of reconcile may change whether it is as the code has it."""
        deployed = deployed_template(self.production.at(stack.region), stack.name)
        if deployed is None:
            raise _not_deployed(stack)
        if not same_template(deployed, stack.template):
            self.note(
                f"{stack.name} in {stack.region} has another template than the code's. Reconcile may not change it, "
                "and nothing that a plan changes is in it: the pipeline's stage Production deploys it, with the next "
                "release of this commit."
            )

    def _bring(self, stack: Stack) -> bool:
        changes = StackChanges(self.production.at(stack.region), stack, self.keep)
        if changes.deployed() is None:
            raise _not_deployed(stack)
        changes.settle()
        deployed = changes.deployed()
        assert deployed is not None, "a stack that settles is deployed"
        if same_template(deployed, stack.template):
            return False
        change_set = self._proposed(changes, stack.template)
        harmful = _refused(changes, change_set, stack.template)
        if harmful and adoptable(harmful, deployed, stack.template):
            changes.discard(change_set)
            self._let_go(changes, harmful)
            change_set = self._proposed(changes, stack.template)
            harmful = _refused(changes, change_set, stack.template)
        self._execute(changes, change_set, stack.template, harmful)
        return True

    def _let_go(self, changes: StackChanges, harmful: Sequence[Refusal]) -> None:
        """Bring the stack to its template but for these resources, retained; references to them become literal."""
        leaving = {each.change.logical_id: each.change.physical_id for each in harmful}
        known = references_to(changes.aws, changes.stack.template, leaving)
        without = left(changes.stack.template, leaving, known)
        names = ", ".join(sorted(leaving.values()))
        self.note(
            f"{changes.stack.name}: CloudFormation cannot read all of {names}: it leaves and is imported as it is"
        )
        change_set = self._proposed(changes, without)
        self._execute(changes, change_set, without, _refused(changes, change_set, without))

    def _proposed(self, changes: StackChanges, template: Template) -> ChangeSet:
        change_set = changes.propose(template)
        if change_set is None:
            raise ReconcileRefused(
                f"{changes.stack.name}: CloudFormation sees nothing to change, and yet its template is another one. "
                "See docs/runbook.md, Reconcile was refused."
            )
        return change_set

    def _execute(
        self, changes: StackChanges, change_set: ChangeSet, template: Template, harmful: Sequence[Refusal]
    ) -> None:
        """Execute it when nothing was refused; else throw it away and raise ReconcileRefused."""
        stack = changes.stack
        if harmful:
            changes.discard(change_set)
            self.note(f"{stack.name}: the change set {change_set.name} was refused: {harmful[0]}")
            raise ReconcileRefused(
                f"{stack.name}: its change set would not leave everything as it is:\n"
                + "\n".join(f"  {each}" for each in harmful)
                + "\nNothing was executed. See docs/runbook.md, Reconcile was refused."
            )
        self.allow()
        self.note(f"{stack.name}: executing {change_set.name}: {_counted(change_set)}")
        changes.execute(change_set, template)
        self.note(f"{stack.name}: its template is the code's")


def _not_deployed(stack: Stack) -> ReconcileRefused:
    return ReconcileRefused(f"{stack.name} is not deployed in {stack.region}: run the pipeline to deploy it.")


def _refused(changes: StackChanges, change_set: ChangeSet, template: Template) -> tuple[Refusal, ...]:
    """The changes in it that are not harmless. What it imports is written out, to see what refers to it and stays."""
    imported = {each.logical_id: each.physical_id for each in change_set.changes if each.action == "Import"}
    if not imported:
        return refusals(change_set.changes, template)
    deployed = changes.deployed() or {"Resources": {}}
    written_out = left(template, imported, references_to(changes.aws, template, imported))
    unmoved = {id for id, body in written_out["Resources"].items() if deployed["Resources"].get(id) == body}
    return refusals(change_set.changes, template, frozenset(unmoved))


def _counted(change_set: ChangeSet) -> str:
    """The number of changes of each kind."""
    kinds = Counter(
        f"{each.action} ({each.policy})" if each.action == "Remove" else each.action for each in change_set.changes
    )
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "no resource"
