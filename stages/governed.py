"""Tags by which the optimizer finds the resources it may change, set once at the end of each stack.

`tap:governed` marks the stack's resources; `tap:part` names the part of the platform that one belongs
to, with the same names as on the dashboard.
"""

from __future__ import annotations

import aws_cdk as cdk
from constructs import Construct

from domain.names import GOVERNED_TAG, GOVERNED_VALUE

PART_TAG = "tap:part"


def mark_governed(stack: cdk.Stack) -> None:
    """Tag everything in `stack` as governed: the optimizer's inventory starts from this tag."""
    cdk.Tags.of(stack).add(GOVERNED_TAG, GOVERNED_VALUE)


def mark_part(construct: Construct, part: str) -> None:
    """Tag everything in `construct` as belonging to `part` (fleet, cache, database, tables, ...)."""
    cdk.Tags.of(construct).add(PART_TAG, part)
