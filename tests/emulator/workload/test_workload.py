"""Inputs of the workload's metrics: the load, the seed, the account's past, and the scenario's events."""

from datetime import timedelta

import numpy as np
import pytest

from emulator.workload.spec import WorkloadEvent
from tests.rehearsal.life import BALANCER, BORN, DESIGNED, FLEET, NOW, platform, series, values, workload

DAY = timedelta(days=1)
ALB = "AWS/ApplicationELB"


def requests(life, **when):
    return series(life, ALB, "RequestCount", BALANCER, "Sum", **when)


def p99(life, **when):
    return series(life, ALB, "TargetResponseTime", BALANCER, "p99", **when)


def test_a_value_is_the_same_whatever_range_it_is_asked_in():
    whole = p99(workload(), start=BORN, end=NOW)
    part = p99(workload(), start=NOW - timedelta(hours=7), end=NOW - timedelta(hours=5))
    assert part.items() <= whole.items()
    assert len(part) == 24


def test_another_seed_gives_another_life_of_the_same_size():
    one, other = (requests(workload(seed=seed), start=BORN, end=NOW) for seed in (1, 2))
    assert one != other
    assert sum(one.values()) == pytest.approx(sum(other.values()), rel=0.01)


def test_requests_add_up_to_what_the_scenario_says_with_a_rhythm():
    found = requests(workload(), start=NOW - 56 * DAY, end=NOW)
    assert sum(found.values()) / 56 == pytest.approx(2_000_000, rel=0.03)
    hours = np.array([at // 3600 % 24 for at in found])
    weekdays = np.array([(at // 86_400 + 3) % 7 for at in found])
    counts = values(found)
    assert counts[hours == 16].mean() > 2 * counts[hours == 4].mean()
    assert counts[weekdays == 6].mean() < 0.8 * counts[weekdays == 2].mean()


def test_ten_times_the_load_is_the_only_difference_between_scenarios():
    ratio = values(requests(workload(DESIGNED), start=NOW - DAY, end=NOW)) / values(
        requests(workload(), start=NOW - DAY, end=NOW)
    )
    assert ratio == pytest.approx(np.full(288, 10.0), rel=0.001)


def test_a_change_of_the_account_leaves_its_past_alone():
    life = workload()
    before = series(life, "AWS/EC2", "CPUUtilization", FLEET, "Average", start=NOW - DAY, end=NOW)
    life.remember(NOW, platform("m5.2xlarge", 8))
    assert series(life, "AWS/EC2", "CPUUtilization", FLEET, "Average", start=NOW - DAY, end=NOW) == before


def test_minutes_add_up_to_their_five_minutes():
    hour = {"start": NOW - timedelta(hours=1), "end": NOW}
    minutes, periods = requests(workload(), period=60, **hour), requests(workload(), **hour)
    assert len(minutes) == 60
    for at, count in periods.items():
        assert sum(minutes[at + 60 * minute] for minute in range(5)) == count


def test_a_metric_of_every_five_minutes_has_one_minute_in_five():
    found = series(
        workload(), "AWS/EC2", "CPUUtilization", FLEET, "Average", period=60, start=NOW - timedelta(hours=1), end=NOW
    )
    assert [at % 300 for at in found] == [0] * 12


def test_the_last_period_holds_only_what_has_come_in():
    life, start = workload(), NOW - timedelta(minutes=15)
    settled = requests(life, start=start, end=NOW)
    at_once = requests(life, start=start, end=NOW, now=NOW)
    last = max(settled)
    assert at_once[last] == pytest.approx(settled[last] * 3 / 5, abs=1)
    assert {at: n for at, n in at_once.items() if at != last} == {at: n for at, n in settled.items() if at != last}


@pytest.mark.parametrize(
    ("metric", "statistic", "effect", "compare"),
    [
        ("TargetResponseTime", "p99", {"p99_factor": 1.3}, lambda now, usual: 1.25 < now / usual < 1.35),
        ("TargetResponseTime", "p50", {"p99_factor": 1.3}, lambda now, usual: now == pytest.approx(usual)),
        ("HTTPCode_Target_5XX_Count", "Sum", {"error_rate": 0.05}, lambda now, usual: now > 20 * usual),
        ("HTTPCode_ELB_5XX_Count", "Sum", {"outage": True}, lambda now, usual: now > 100 * usual),
        ("RequestCount", "Sum", {"outage": True}, lambda now, _: now == 0),
        ("RequestCount", "Sum", {"silent": True}, lambda now, _: now == 0),
    ],
)
def test_an_event_works_from_its_milestone_until_its_end(metric, statistic, effect, compare):
    event = WorkloadEvent(on="phase2.applied", after_minutes=120, until="phase2.rolled_back", **effect)
    life, usual = workload(events=(event,)), workload()
    when = {"start": NOW, "end": NOW + timedelta(hours=6)}

    def by_hour(of):
        found = series(of, ALB, metric, BALANCER, statistic, period=3600, **when)
        return [found.get(int(NOW.timestamp()) + 3600 * hour, 0.0) for hour in range(6)]

    assert by_hour(life) == by_hour(usual)  # nothing happens before the milestone is reached
    life.milestone("phase2.applied", NOW)
    life.milestone("phase2.rolled_back", NOW + timedelta(hours=4))
    life.milestone("phase2.applied", NOW + timedelta(hours=5))  # said again after a crash: the first one counts
    struck, normal = by_hour(life), by_hour(usual)
    assert struck[:2] + struck[4:] == normal[:2] + normal[4:]
    assert all(compare(now, before) for now, before in zip(struck[2:4], normal[2:4], strict=True))


def test_an_event_can_end_by_the_clock():
    event = WorkloadEvent(on="phase2.applied", after_minutes=60, until_minutes=120, silent=True)
    life = workload(events=(event,))
    life.milestone("phase2.applied", NOW)
    found = requests(life, start=NOW, end=NOW + timedelta(hours=3), period=3600)
    assert [(at - int(NOW.timestamp())) // 3600 for at in found] == [0, 2]


def test_an_unknown_metric_or_region_has_no_datapoints():
    when = {"start": NOW - DAY, "end": NOW}
    assert not series(workload(), ALB, "Nonsense", BALANCER, "Sum", **when)
    assert not series(workload(), ALB, "RequestCount", BALANCER, "Sum", region="eu-west-1", **when)
