"""Effective permissions against the calls that whole rehearsals recorded, both ways."""

from __future__ import annotations

from benchmarks.campaigns.campaign import Campaign, Extent, Row, Size
from benchmarks.campaigns.held_by_tests import row

QUICK = ("tests/pipeline/test_roles.py", "tests/rehearsal/test_permissions_used.py")
WHOLE = (*QUICK, "tests/pipeline/test_effective_rights.py", "tests/pipeline/test_boundary.py")


def run(size: Size) -> Row:
    if size.extent is Extent.SAMPLE:
        return row(QUICK, "what needs no rehearsal", marks="not slow")
    return row(WHOLE, "every role, by its policies and boundary, and every call of the rehearsals that are lived")


CAMPAIGN = Campaign(
    title="Permissions",
    proves="each role can effectively do what its jobs call, and nothing that no job ever calls",
    cannot="IAM's own evaluation, organization policies, and calls that AWS makes on our behalf and does not document",
    planted="`pipeline/jobs.py`: the role of apply without the right to read the kill switch",
    run=run,
)
