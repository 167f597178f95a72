"""Everything that can go wrong, as one tree.

    OptimizerError                    one clear line: what failed, on which resource, what to do next
    +-- UsageError               64   the command line or the job's environment is wrong
    +-- Refused                   2   the plan, the state or the rules do not allow it
    |   +-- PlanChanged               the account changed after the plan was approved
    |   +-- ResourceGone              a resource of the plan was deleted
    |   +-- PlanTampered              the plan file does not match its hash
    |   +-- PlanSuperseded            another plan replaced this one
    |   +-- NotApproved               nobody approved this plan
    |   +-- JournalDamaged            an item of the journal differs from what was written
    |   +-- WrongState                the phase is not in a state that allows this
    |   +-- TenantOwned               a tenant owns the resource, or an affected part of it
    |   +-- BlastRadius               the plan would change more than the policy allows at once
    |   +-- OneWayBegun               an irreversible move has begun: there is no way back
    |   +-- WayBackClosed             a reversible move cannot be undone any more: a person has to repair it first
    |   +-- AssemblyRefused           the assembly must not be deployed now
    |   +-- PriceMissing              a billed item has no known price
    |   +-- CostsUnknown              Cost Explorer gives no answer, or none in US dollars
    |   +-- ReconcileRefused          a stack's change set is not harmless, or the stack accepts none
    |   +-- Stopped                   the kill switch is set
    |   +-- ItemRefused               an item does not fit into the merged table, or does not belong to it
    +-- LeaseLost                 6   another process holds the plan's lock
    +-- Unhealthy                 4   too early, health uncertain, or an alarm in ALARM: hold
    |   +-- NotNow                    the calendar keeps the phase from beginning today
    +-- Breach                    3   errors or latency exceeded their limits
    +-- Differences               5   code and account do not agree
    +-- MoveFailed                7   a change did not reach its target in time, or AWS said it failed
    |   +-- TurnedBack                AWS rolled the change back because of an alarm: the phase is rolled back
    |   +-- OwnerUnread               the owner of the resource cannot be read: nothing is changed, no tenant is named
    +-- AwsFailed                 7   an AWS call failed after botocore's retries

Each class carries the exit code of the command line. Exit code 1 is left to Python itself.
"""

from __future__ import annotations


class OptimizerError(Exception):
    """The root. `str(error)` is a line for a person; `exit_code` is the command line's."""

    exit_code = 1


class UsageError(OptimizerError):
    exit_code = 64  # EX_USAGE of sysexits.h


class Refused(OptimizerError):
    exit_code = 2


class PlanChanged(Refused):
    pass


class ResourceGone(Refused):
    pass


class PlanTampered(Refused):
    pass


class PlanSuperseded(Refused):
    pass


class NotApproved(Refused):
    pass


class JournalDamaged(Refused):
    pass


class WrongState(Refused):
    pass


class TenantOwned(Refused):
    pass


class BlastRadius(Refused):
    pass


class OneWayBegun(Refused):
    pass


class WayBackClosed(Refused):
    pass


class AssemblyRefused(Refused):
    pass


class ReconcileRefused(Refused):
    pass


class Stopped(Refused):
    pass


class ItemRefused(Refused):
    pass


class PriceMissing(Refused):
    pass


class CostsUnknown(Refused):
    """`code` is AWS's error code, if AWS refused."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class LeaseLost(OptimizerError):
    exit_code = 6


class Unhealthy(OptimizerError):
    exit_code = 4


class NotNow(Unhealthy):
    pass


class Breach(OptimizerError):
    exit_code = 3


class Differences(OptimizerError):
    exit_code = 5


class MoveFailed(OptimizerError):
    exit_code = 7


class TurnedBack(MoveFailed):
    pass


class OwnerUnread(MoveFailed):
    pass


class AwsFailed(OptimizerError):
    exit_code = 7
