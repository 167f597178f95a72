"""Approval of a plan, and whether it is enough: a one-way plan needs a second person.

People are distinguished by the last part of their ARN, a user's name or a session's name (IAM Identity
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
    """`second`: a plan with one-way moves wants a second approver. `committers` may not be that one.

    `second` is None where nothing says whether it does: then no plan with one-way moves is approved.
    """

    second: bool | None
    committers: tuple[str, ...] = ()

    def require(self, plan: Plan, answered: Mapping[str, str], by_hand: str = UNKNOWN) -> str:
        """The approvers in words: from the gates' answers, or the person who runs the command `by_hand`.

        Raises NotApproved when that is not enough.
        """
        first = answered.get(APPROVE, by_hand)
        if not any(each.one_way for each in plan.actions):
            return first
        if self.second is None:
            raise NotApproved(
                f"Plan {plan.hash[:12]} has one-way moves, and TAP_SECOND_APPROVER is not set: it decides whether two "
                "people must approve them. Approve in the pipeline's stage Approve; by hand, set TAP_SECOND_APPROVER "
                "to the environment's second_approver (true or false), then approve again."
            )
        if not self.second:
            return self._named(plan, first)
        first, second = answered.get(APPROVE, UNKNOWN), answered.get(CONFIRM, UNKNOWN)
        if wrong := self._wrong(first, second):
            raise NotApproved(
                f"Plan {plan.hash[:12]} has one-way moves, so that two people must approve it: {wrong}. "
                "Retry the stage Approve with all actions: both gates open again."
            )
        return f"{first} and {second}"

    @staticmethod
    def _named(plan: Plan, first: str) -> str:
        if first == UNKNOWN:
            raise NotApproved(
                f"Plan {plan.hash[:12]} has one-way moves, and the pipeline does not say who approved it. "
                "Retry the stage Approve with all actions: its gate opens again."
            )
        return first

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
