"""Holds without a broken limit, tolerance for a service's own rhythm, and the effect of each target group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from optimizer.decide.health import Baseline, judge
from optimizer.model.health import Health, Sample, Samples

APPLY = datetime(2027, 3, 1, 8, tzinfo=UTC)
FIVE = timedelta(minutes=5)
DAYS_28, DAYS_35, DAYS_2 = 28 * 288, 35 * 288, 576

Life = Callable[[datetime], Sample]
Change = Callable[[Sample], Sample]


def even(at: datetime, requests: float = 7_000.0, p99_ms: float = 200.0) -> Sample:
    return Sample(at, requests, 4.0, None, p99_ms)


def past(life: Life = even, apply: datetime = APPLY, periods: int = DAYS_35) -> list[Sample]:
    return [life(apply - FIVE * n) for n in range(periods, 0, -1)]


def window(life: Life = even, apply: datetime = APPLY, periods: int = DAYS_2) -> list[Sample]:
    return [life(apply + FIVE * n) for n in range(periods)]


def changed(samples: list[Sample], where: range, **values: float | None) -> list[Sample]:
    return [replace(each, **values) if n in where else each for n, each in enumerate(samples)]  # type: ignore[arg-type]


def after(samples: list[Sample]) -> datetime:
    return samples[-1].at + FIVE


BASELINE = Baseline(past())
LAST_HOUR, TWO_HOURS, LAST = range(564, 576), range(551, 576), range(574, 576)


@pytest.mark.parametrize(
    ("name", "where", "values", "why"),
    [
        ("silent since two periods", LAST, {"requests": None, "p99_ms": None}, "1 of the last 3 periods"),
        ("requests without answers", LAST, {"p99_ms": None}, "1 of the last 3 periods"),
        ("nearly empty", LAST, {"requests": 300.0}, "1 of the last 3 periods"),
        ("answers in no time", LAST, {"p99_ms": 0.0}, "1 of the last 3 periods"),
        ("answers in no time for an hour", range(300, 312), {"p99_ms": 0.0}, "too good to be true"),
        ("39 % of its past for an hour", LAST_HOUR, {"p99_ms": 78.0}, "too good to be true"),
        ("a third of the requests for two hours", TWO_HOURS, {"requests": 2_300.0}, "clients do not get through"),
        ("4xx of targets", LAST_HOUR, {"target_4xx": 200.0}, "4xx of targets: 2.9%"),
        ("4xx of the load balancer", LAST_HOUR, {"elb_4xx": 200.0}, "4xx of the load balancer"),
        ("refused by the load balancer", LAST_HOUR, {"rejected": 200.0}, "rejected connections"),
        ("refused by the targets", LAST_HOUR, {"connection_errors": 200.0}, "refused connections to targets"),
        ("TLS failures", LAST_HOUR, {"tls_errors": 200.0}, "TLS failures of clients"),
        ("0.6 % in every other day part", range(0, 576, 2), {"target_5xx": 64.0}, ""),
    ],
)
def test_what_is_not_to_be_believed_holds(name: str, where: range, values: dict[str, float | None], why: str) -> None:
    seen = changed(window(), where, **values)
    found = BASELINE.judge(seen, after(seen))
    assert found.verdict is (Health.INCONCLUSIVE if why else Health.HEALTHY), (name, found.reason)
    assert why in found.reason
    assert found.needs_a_look is (bool(why) and "periods" not in why), "missing data is another doubt"


@pytest.mark.parametrize(
    ("name", "where", "values"),
    [
        ("one silent period", range(575, 576), {"requests": None, "p99_ms": None}),
        ("a short dip", range(560, 566), {"requests": 2_300.0}),
        ("half of the requests", range(DAYS_2), {"requests": 3_600.0}),
        ("a burst of 4xx", range(560, 562), {"target_4xx": 900.0}),
        ("half an hour too fast", range(570, 576), {"p99_ms": 60.0}),
        ("a p99 beside no RequestCount", range(300, 301), {"requests": None, "elb_5xx": 3.0}),
    ],
)
def test_what_happens_to_every_service_holds_nothing(name: str, where: range, values: dict[str, float | None]) -> None:
    seen = changed(window(), where, **values)
    assert BASELINE.judge(seen, after(seen)).verdict is Health.HEALTHY, name


@pytest.mark.parametrize(("busy", "expected"), [(5, Health.INCONCLUSIVE), (4, Health.HEALTHY)])
def test_a_window_of_which_hardly_a_period_can_be_judged_is_not_healthy(busy: int, expected: Health) -> None:
    """A p99 needs 1,000 requests: of these windows only some periods have them, and a quarter is required."""
    baseline = Baseline(past(lambda at: even(at, 1_050.0)))
    seen = [replace(each, requests=1_050.0 if n % busy == 1 else 950.0) for n, each in enumerate(window(periods=60))]
    found = baseline.judge(seen, after(seen))
    assert found.verdict is expected, found.reason
    assert ("too little to judge latency by" in found.reason) is (expected is Health.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("name", "where", "values"),
    [
        ("+25 % in every other period: half of a day", range(0, 576, 2), {"p99_ms": 250.0}),
        ("0.8 % errors in three periods in a row", range(300, 303), {"target_5xx": 56.0}),
        ("0.53 % errors all the time: a day's", range(576), {"target_5xx": 37.0}),
    ],
)
def test_each_limit_finds_what_no_other_does(name: str, where: range, values: dict[str, float | None]) -> None:
    seen = changed(window(), where, **values)
    assert BASELINE.judge(seen, after(seen)).verdict is Health.BREACH, name


def test_of_two_readings_of_a_period_the_larger_counts() -> None:
    """A sum only grows while it settles."""
    ill = changed(window(), range(300, 312), target_5xx=200.0)
    seen = sorted([*ill, *window()], key=lambda each: each.at)
    assert BASELINE.judge(seen, after(ill)).verdict is Health.BREACH


@pytest.mark.parametrize(("errors", "expected"), [(760.0, False), (900.0, True)])
def test_the_load_balancers_own_errors_are_attempts_as_well(errors: float, expected: bool) -> None:
    """RequestCount leaves them out (Elastic Load Balancing, CloudWatch metrics): 760 of 7,760 are less than 10 %."""
    seen = changed(window(periods=6), range(2, 3), elb_5xx=errors)
    assert (BASELINE.judge(seen, after(seen)).verdict is Health.BREACH) is expected


def test_4xx_that_always_came_hold_nothing_and_half_as_many_again_do() -> None:
    baseline = Baseline(changed(past(), range(DAYS_35), target_4xx=280.0))  # 4 %
    for count, expected in ((330.0, Health.HEALTHY), (520.0, Health.INCONCLUSIVE)):
        seen = changed(window(), range(DAYS_2), target_4xx=count)
        assert baseline.judge(seen, after(seen)).verdict is expected


@pytest.mark.parametrize(("hours", "expected"), [(60, Health.BREACH), (80, Health.INCONCLUSIVE)])
def test_a_breach_long_after_the_change_asks_a_person(hours: int, expected: Health) -> None:
    seen = changed(window(periods=12 * 96), range(12 * hours, 12 * hours + 12), p99_ms=400.0)
    assert BASELINE.judge(seen, after(seen)).verdict is expected
    assert BASELINE.judge(seen[: 12 * hours + 6], seen[12 * hours + 5].at + FIVE).verdict is expected


def nightly(at: datetime, minutes: int = 15, only: int | None = None) -> Sample:
    """A job at three o'clock UTC, on one day of the week or on all, under which p99 doubles."""
    runs = at.hour == 3 and at.minute < minutes and only in (None, at.weekday())
    return even(at, p99_ms=400.0 if runs else 200.0)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize("minutes", [15, 30])
@pytest.mark.parametrize("only", [None, 1])
def test_a_job_of_every_night_or_week_is_part_of_the_past(minutes: int, only: int | None, zone: str) -> None:
    for apply in (APPLY, datetime(2027, 3, 29, 8, tzinfo=UTC)):  # Europe's clocks changed on the 28th

        def life(at: datetime) -> Sample:
            return nightly(at, minutes, only)

        before, seen = past(life, apply), window(life, apply)
        assert judge(before, [], apply, zone=zone).verdict is Health.HEALTHY
        assert judge(before, seen, after(seen), zone=zone).verdict is Health.HEALTHY
        assert (
            judge(past(apply=apply), changed(seen, range(216, 240), p99_ms=450.0), after(seen)).verdict is Health.BREACH
        )


def office(at: datetime, times: float = 1.0, load: float = 1.0) -> Sample:
    """Office hours of Berlin; p99 follows the load."""
    local = at.astimezone(ZoneInfo("Europe/Berlin"))
    hour = local.hour + local.minute / 60
    day = 1 / (1 + np.exp(-(hour - 8.5) * 3)) / (1 + np.exp((hour - 18) * 2))
    requests = (2_500 + 7_000 * day) * load
    return even(at, requests, times * (110 + 0.008 * requests))


@pytest.mark.parametrize("change", [datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)])
@pytest.mark.parametrize("days_after", [-1, 1, 8])
def test_weeks_with_a_clock_change_are_compared_by_local_hours(change: datetime, days_after: int) -> None:
    apply = change + timedelta(days=days_after, hours=5)
    before, seen = past(office, apply), window(office, apply)
    assert judge(before, [], apply, zone="Europe/Berlin").verdict is Health.HEALTHY
    assert judge(before, seen, after(seen), zone="Europe/Berlin").verdict is Health.HEALTHY
    assert (
        judge(before, seen, after(seen)).verdict is not Health.BREACH
    )  # the load explains it without the zone as well
    slow = window(lambda at: office(at, 1.3), apply)
    assert judge(before, slow, after(slow), zone="Europe/Berlin").verdict is Health.BREACH


def test_a_promotion_is_not_the_changes_fault_and_hides_no_regression() -> None:
    def promoted(at: datetime, times: float = 1.0) -> Sample:
        return office(at, times, 1.5 if APPLY + timedelta(hours=24) <= at < APPLY + timedelta(hours=30) else 1.0)

    baseline, seen = Baseline(past(office), "Europe/Berlin"), window(promoted)
    assert baseline.judge(seen, after(seen)).verdict is Health.HEALTHY
    slow = window(lambda at: promoted(at, 1.6 if at >= APPLY + timedelta(hours=24) else 1.0), periods=24 * 12 + 24)
    assert baseline.judge(slow, after(slow)).verdict is Health.BREACH


@pytest.mark.parametrize(
    ("requests", "rate", "expected"),
    [(50, 0.0115, Health.BREACH), (50, 0.003, Health.HEALTHY), (400, 0.0062, Health.BREACH)],
)
def test_the_whole_window_is_judged_by_pooled_rates(requests: int, rate: float, expected: Health) -> None:
    chance = np.random.default_rng(7)
    seen = [
        replace(s, target_5xx=float(chance.binomial(requests, rate))) for s in window(lambda at: even(at, requests))
    ]
    before = [replace(s, target_5xx=None) for s in past(lambda at: even(at, requests))]
    assert judge(before, seen, after(seen)).verdict is expected


def test_a_true_rate_below_the_limit_is_no_breach() -> None:
    chance = np.random.default_rng(11)
    for _ in range(60):
        seen = [replace(s, target_5xx=float(chance.binomial(7_000, 0.0048))) for s in window()]
        assert BASELINE.judge(seen, after(seen)).verdict is not Health.BREACH


def test_1_percent_is_found_within_15_minutes_from_12_requests_a_second_on() -> None:
    chance, thin = np.random.default_rng(13), Baseline(past(lambda at: even(at, 3_600)))
    found = 0
    for _ in range(200):
        seen = [replace(even(s.at, 3_600), target_5xx=float(chance.binomial(3_600, 0.01))) for s in window(periods=3)]
        found += thin.judge(seen, after(seen)).verdict is Health.BREACH
    assert found >= 197


def open_hours(at: datetime, p99_ms: float = 200.0) -> Sample:
    """An office's service: from 8 to 20 on weekdays; else one period in four has a single request."""
    if at.weekday() < 5 and 8 <= at.hour < 20:
        return even(at, p99_ms=p99_ms)
    return Sample(at, 1.0, None, None, 150.0) if at.minute % 20 == 0 else Sample(at, None, None, None, None)


@pytest.mark.parametrize(
    ("name", "day", "hour", "hours", "p99_ms", "expected"),
    [
        ("from morning to morning", 2, 8, 48, 200.0, Health.HEALTHY),
        ("to the middle of the night", 2, 14, 34, 200.0, Health.HEALTHY),
        ("just closed", 2, 8, 36, 200.0, Health.HEALTHY),
        ("just opened", 2, 8, 49, 200.0, Health.HEALTHY),
        ("30 % slower", 2, 8, 48, 262.0, Health.BREACH),
        ("a weekend alone", 5, 20, 48, 200.0, Health.INCONCLUSIVE),  # nothing was measured
        ("the last hours before a weekend", 5, 17, 48, 200.0, Health.INCONCLUSIVE),
    ],
)
def test_closed_hours_are_not_missing_data_and_no_proof(
    name: str, day: int, hour: int, hours: int, p99_ms: float, expected: Health
) -> None:
    apply = datetime(2027, 3, day, hour, tzinfo=UTC)
    seen = window(lambda at: open_hours(at, p99_ms), apply, 12 * hours)
    baseline = Baseline(past(open_hours, apply))
    assert baseline.judge(seen, after(seen)).verdict is expected, name
    assert baseline.judge([], apply).verdict is Health.HEALTHY


@pytest.mark.parametrize(("silent_from", "expected"), [(16, Health.INCONCLUSIVE), (20, Health.HEALTHY)])
def test_silence_in_open_hours_is_missing_data(silent_from: int, expected: Health) -> None:
    apply = datetime(2027, 3, 2, 8, tzinfo=UTC)
    end = apply + timedelta(hours=36)  # closed since 20 o'clock
    last = end.replace(hour=silent_from) if silent_from < 20 else end
    seen = [each if each.at < last else Sample(each.at, None, None, None, None) for each in window(open_hours, apply)]
    seen = [each for each in seen if each.at < end]
    assert Baseline(past(open_hours, apply)).judge(seen, end).verdict is expected


# Target groups: a path of 3 % of the requests.


def path(at: datetime) -> Sample:
    return Sample(at, 210.0, None, None, 300.0)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("well", {}, Health.HEALTHY),
        ("twice as slow", {"p99_ms": 600.0}, Health.BREACH),
        ("failing", {"target_5xx": 40.0}, Health.BREACH),
        ("gone", {"requests": None, "p99_ms": None}, Health.INCONCLUSIVE),
    ],
)
def test_each_target_group_is_judged_as_well(name: str, values: dict[str, float | None], expected: Health) -> None:
    seen, part = window(), changed(window(path), range(288, DAYS_2), **values)
    found = judge(past(), seen, after(seen), groups={"tap-admin": (past(path), part), "tap-new": ([], window(path))})
    assert found.verdict is expected, (name, found.reason)
    assert ("target group tap-admin" in found.reason) is (expected is not Health.HEALTHY)
    assert judge(past(), seen, after(seen)).verdict is Health.HEALTHY


def test_a_target_group_that_answers_nothing_any_more_holds_although_no_sample_of_it_came() -> None:
    seen = window()
    assert judge(past(), seen, after(seen), groups={"tap-admin": (past(path), [])}).verdict is Health.INCONCLUSIVE
    baseline = Baseline(Samples(past(), {"tap-admin": past(path)}))
    assert baseline.judge(Samples(seen), after(seen)).verdict is Health.INCONCLUSIVE
    assert baseline.judge(seen, after(seen)).verdict is Health.HEALTHY  # a window without groups says nothing of them


def test_a_path_that_always_failed_is_held_to_its_own_past() -> None:
    def failing(at: datetime, errors: float = 42.0) -> Sample:  # 2 % of 2,100
        return Sample(at, 2_100.0, errors, None, 300.0)

    seen = window()
    for errors, expected in ((44.0, Health.HEALTHY), (100.0, Health.BREACH)):
        part = [failing(each.at, errors) for each in seen]
        assert judge(past(), seen, after(seen), groups={"tap-old": (past(failing), part)}).verdict is expected


def test_a_thin_target_group_is_not_judged() -> None:
    seen, part = window(), window(lambda at: Sample(at, 20.0, 20.0, None, 9_000.0))
    thin = past(lambda at: Sample(at, 20.0, None, None, 300.0))
    assert judge(past(), seen, after(seen), groups={"tap-thin": (thin, part)}).verdict is Health.HEALTHY


def test_the_load_balancers_own_errors_come_on_top_of_the_requests() -> None:
    seen = [Sample(s.at, 700.0, None, 300.0, None) for s in window(periods=1)]
    assert "30.0% errors" in BASELINE.judge(seen, after(seen)).reason  # 300 of 1,000, not of 700


@pytest.mark.parametrize("begun", range(8))
@pytest.mark.parametrize("periods", [1, 3, 10, 24])
def test_a_thin_path_holds_no_move_before_there_was_time_to_measure_it(begun: int, periods: int) -> None:
    apply = APPLY + FIVE * begun  # its 25 minutes begin anywhere in the window
    seen, part = window(apply=apply, periods=periods), window(path, apply, periods)
    found = judge(past(apply=apply), seen, after(seen), groups={"tap-admin": (past(path, apply), part)})
    assert found.verdict is Health.HEALTHY, found.reason
