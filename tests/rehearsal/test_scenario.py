"""Scenario files: those that come with the product, and one clear line for a bad one."""

import pytest

from domain.errors import UsageError
from rehearsal.scenario import Outcome, known_scenarios, load_scenario

GOOD = """
name: mine
summary: A file of my own.
days: 61
workload: {tenants: 10, requests_per_day: 1000}
events:
  - {on: phase2.applied, p99_factor: 2}
expect:
  phases: {"1": skipped, "2": kept, "3": kept}
"""


def test_every_scenario_of_the_product_loads_under_its_own_name():
    named = {"quiet", "regression", "young-account", "tenant-owned", "silent-metrics"}
    assert named | {"monthly-job", "stream-consumer", "errors", "drift"} <= set(known_scenarios())
    for name in known_scenarios():
        scenario = load_scenario(name)
        assert scenario.name == name
        assert set(scenario.expect.phases) == {"1", "2", "3"}


def test_scenarios_of_quiet_differ_from_it_only_by_what_they_are_about():
    quiet = load_scenario("quiet")
    others = (
        "regression",
        "tenant-owned",
        "silent-metrics",
        "young-account",
        "monthly-job",
        "stream-consumer",
        "errors",
        "drift",
    )
    for name in others:
        assert load_scenario(name).workload == quiet.workload


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    scenario = load_scenario(str(path))
    assert scenario.events[0].on == "phase2.applied"  # YAML 1.1 reads the key as true
    assert scenario.expect.phases["2"] is Outcome.KEPT


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("days: 61", "days: 0"), "days"),
        (("days: 61", "days: 61\nspeed: 3"), "speed: Extra inputs"),
        (("days: 61", "days: 61\nends_after: Approve"), "ends_after: String should match"),
        (("{tenants: 10, ", "{"), "workload.tenants: Field required"),
        (("phase2.applied", "phase9.applied"), "events.0.on"),
        (("p99_factor: 2", "after_minutes: 3"), "an event needs an effect"),
        (("p99_factor: 2", "silent: true, after_minutes: 9, until_minutes: 5"), "cannot end at minute 5"),
        (("p99_factor: 2", "silent: true, until: phase2.accepted, until_minutes: 5"), "not by both"),
        (('"2": kept', '"4": kept'), "expect.phases.4"),
        (("name: mine", "name: [mine"), "not YAML"),
        ((GOOD, "just a text"), "the file: Input should be"),
    ],
)
def test_a_bad_file_is_one_line_that_names_file_and_fault(tmp_path, change, said):
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace(*change))
    with pytest.raises(UsageError) as caught:
        load_scenario(str(path))
    line = str(caught.value)
    assert said in line
    assert str(path) in line
    assert "\n" not in line


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UsageError, match=r"no scenario 'noisy'. There are: .*quiet.*young-account"):
        load_scenario("noisy")


def test_a_missing_file_says_so():
    with pytest.raises(UsageError, match="cannot be read"):
        load_scenario("nowhere/mine.yaml")
