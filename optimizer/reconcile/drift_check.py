"""Asks CloudFormation, before a plan's first move, whether it sees drift where nobody changed anything.

Each stack that reconcile would bring after the account is asked for a drift-aware change set with the template that
is deployed, which is thrown away. Real drift and a false positive of CloudFormation look the same, and either would
have reconcile refused later, after the plan's one-way moves (docs/adr/0021).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cloudformation.assembly import Stack
from domain.names import is_reconciled
from optimizer.execute.notifications import Notice
from optimizer.model.fingerprint import fingerprint
from optimizer.ports.aws import Aws
from optimizer.reconcile.harmless_changes import Change, Refusal, doubts
from optimizer.reconcile.stack_change_set import StackChanges


@dataclass(frozen=True)
class Doubt:
    """One change that CloudFormation would make in a stack that is as its template says."""

    stack: str
    region: str
    refusal: Refusal

    def __str__(self) -> str:
        return f"{self.stack} in {self.region}: {self.refusal}"


@dataclass(frozen=True)
class DriftAnswer:
    """The stacks that were checked, and what they would change."""

    stacks: tuple[str, ...]
    found: tuple[Doubt, ...]


def ask_stacks(production: Aws, regions: Sequence[str]) -> DriftAnswer:
    """Ask every stack of the platform. Raises ReconcileRefused for one that takes no change set."""
    stacks = [stack for region in regions for stack in _stacks(production, region)]
    held = [
        Doubt(stack.name, stack.region, each)
        for stack in stacks
        for each in doubts(_changes(production.at(stack.region), stack))
    ]
    return DriftAnswer(tuple(stack.name for stack in stacks), tuple(held))


def held_text(held: Sequence[Doubt]) -> str:
    """Why the plan is held, a line for each resource."""
    return (
        "the plan is held. CloudFormation would change what nobody changed:\n"
        + "\n".join(f"  {each}" for each in held)
        + "\nNothing was changed. See docs/runbook.md, The plan is held by CloudFormation."
    )


def plan_held(held: Sequence[Doubt]) -> Notice:
    """The mail that says so, once for the same findings."""
    text = held_text(held)
    subject = f"tap: the plan is held, CloudFormation would change {held[0].stack}"
    return Notice(f"drift#{fingerprint(text, 12)}", subject, text)


def _stacks(production: Aws, region: str) -> Iterator[Stack]:
    pages = production.at(region).cloudformation.get_paginator("describe_stacks").paginate()
    for described in (each for page in pages for each in page["Stacks"]):
        if is_reconciled(described["StackName"]):
            yield Stack(described["StackName"], production.account, region, "", {"Resources": {}}, {})


def _changes(production: Aws, stack: Stack) -> Sequence[Change]:
    changes = StackChanges(production, stack, keep=lambda: None)
    changes.settle()
    return changes.ask()
