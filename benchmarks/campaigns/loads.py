"""Loads from 1 to 20 million requests a day: no sizing that the plan wants breaks the service in the model."""

from __future__ import annotations

from benchmarks.campaigns.campaign import Campaign, Extent, Row, Size
from benchmarks.campaigns.held_by_tests import row
from tests.actions.sized_foundation import foundation
from tests.actions.test_load_sweep import LOADS, savings_left

SWEEP = "tests/actions/test_load_sweep.py"
ONE = f"{SWEEP}::test_no_wanted_sizing_breaks_the_service[2.4]"


def run(size: Size) -> Row:
    if size.extent is Extent.SAMPLE:
        return row([ONE], "one load, near to where decisions turn")
    with foundation() as loaded:
        answers = [each for load in LOADS for each in savings_left(loaded, load).values()]
    left = f"{sum(answers)} of {len(answers)} kept sizes would have served too: a saving left"
    return row([SWEEP], f"{len(LOADS)} loads, each with its own 60 days and a week afterwards; {left}")


CAMPAIGN = Campaign(
    title="Loads",
    proves="nothing is decided that breaks the service level in the model, at any load, in any shape of day",
    cannot="an application whose CPU, memory and latency answer the load otherwise than the model's",
    planted="the brief's target under the load of the design (test_the_check_sees_a_sizing_that_breaks_the_service)",
    run=run,
)
