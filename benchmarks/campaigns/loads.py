"""Loads from 1 to 20 million requests a day: no sizing that the plan wants breaks the service in the model."""

from __future__ import annotations

from benchmarks.campaigns.campaign import Campaign, Extent, Row, Size
from benchmarks.campaigns.held_by_tests import row

SWEEP = "tests/actions/test_load_sweep.py"
ONE = f"{SWEEP}::test_no_wanted_sizing_breaks_the_service[2.4]"


def run(size: Size) -> Row:
    if size.extent is Extent.SAMPLE:
        return row([ONE], "one load, near to where decisions turn")
    return row([SWEEP], "twenty loads, each with its own 60 days, all decisions of both phases and a week afterwards")


CAMPAIGN = Campaign(
    title="Loads",
    proves="nothing is decided that breaks the service level in the model, at any load, in any shape of day",
    cannot="an application whose CPU, memory and latency answer the load otherwise than the model's",
    planted="the brief's target under the load of the design (test_the_check_sees_a_sizing_that_breaks_the_service)",
    run=run,
)
