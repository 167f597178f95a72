"""Who approved a plan, and whether that is enough: a one-way plan wants a second person.

People are told apart by the last part of their ARN, a user's name or a session's name (IAM Identity
Center puts the user's name there): the same person in two roles is one person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.errors import NotApproved

if TYPE_CHECKING:
    from optimizer.model.plan import Plan  # the settings hold a rule, and everything reads the settings

APPROVE, CONFIRM = "ApprovePlan", "ConfirmPlan"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class ApprovalRule:
    """`second`: a plan with one-way moves wants a second approver. `committers` may not be that one."""

    second: bool
    committers: tuple[str, ...] = ()

    def require(self, plan: Plan, answered: Mapping[str, str]) -> str:
        """Who approved, in words, by the gates' answers. Raises NotApproved when that is not enough."""
        first = answered.get(APPROVE, UNKNOWN)
        if not self.second or not any(each.one_way for each in plan.actions):
            return first
        second = answered.get(CONFIRM, UNKNOWN)
        if wrong := self._wrong(first, second):
            raise NotApproved(
                f"Plan {plan.hash[:12]} has one-way moves, so that two people must approve it: {wrong}. "
                "Retry the stage Approve with all actions: both gates ask anew."
            )
        return f"{first} and {second}"

    def _wrong(self, first: str, second: str) -> str | None:
        if UNKNOWN in (first, second):
            return "the pipeline does not say who answered both gates"
        if _person(first) == _person(second):
            return f"{second} answered both gates"
        if _person(second) in _people(self.committers):
            return f"{second} pushes to the branch, and may not be the second"
        return None


def _person(arn: str) -> str:
    return arn.rsplit("/", 1)[-1].casefold()


def _people(names: Sequence[str]) -> set[str]:
    return {_person(each) for each in names}
