"""The five rules of judging, each from both sides, on a service whose every number is known."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.decide.health import Baseline, expected_p99, judge
from optimizer.model.health import Health, Sample

APPLY = datetime(2027, 3, 1, 8, tzinfo=UTC)
FIVE = timedelta(minutes=5)
DAYS_28 = 28 * 288
DAYS_2 = 2 * 288

Change = Callable[[Sample], Sample]


def sample(at: datetime, *, requests: float = 7_000.0, p99_ms: float = 200.0) -> Sample:
    """7,000 requests, 4 of them failed, p99 200 ms: healthy."""
    return Sample(at, requests, 4.0, None, p99_ms)


def past(periods: int = DAYS_28, *, requests: float = 7_000.0, p99_ms: float = 200.0) -> list[Sample]:
    return [sample(APPLY - FIVE * n, requests=requests, p99_ms=p99_ms) for n in range(periods, 0, -1)]


def window(periods: int = DAYS_2, *, requests: float = 7_000.0, p99_ms: float = 200.0) -> list[Sample]:
    return [sample(APPLY + FIVE * n, requests=requests, p99_ms=p99_ms) for n in range(periods)]


def changed(samples: list[Sample], change: Change, where: range) -> list[Sample]:
    return [change(each) if n in where else each for n, each in enumerate(samples)]


def p99(value: float | None) -> Change:
    return lambda each: replace(each, p99_ms=value)


def failed(share: float) -> Change:
    return lambda each: replace(each, target_5xx=(each.requests or 0.0) * share)


def silent(each: Sample) -> Sample:
    return Sample(each.at, None, None, None, None)


def after(samples: list[Sample]) -> datetime:
    return samples[-1].at + FIVE


BASELINE = Baseline(past())


def verdict(samples: list[Sample], baseline: Baseline = BASELINE) -> Health:
    return baseline.judge(samples, after(samples)).verdict


@pytest.mark.parametrize(
    ("name", "value", "where", "expected"),
    [
        ("+25 % in 16 of 24", 250.0, range(100, 132, 2), Health.HEALTHY),  # every other period: 12 of 24
        ("+25 % in 15 in a row", 250.0, range(100, 115), Health.HEALTHY),
        ("+25 % in 16 in a row", 250.0, range(100, 116), Health.BREACH),
        ("+19 % all the time", 238.0, range(DAYS_2), Health.HEALTHY),
        ("+31 % in 5 in a row", 262.0, range(100, 105), Health.HEALTHY),
        ("+31 % in 6 in a row", 262.0, range(100, 106), Health.BREACH),
        ("+151 % in 2 in a row", 502.0, range(100, 102), Health.HEALTHY),
        ("+151 % in 3 in a row", 502.0, range(100, 103), Health.BREACH),
        ("faster", 80.0, range(DAYS_2), Health.HEALTHY),
    ],
)
def test_latency_against_the_past(name: str, value: float, where: range, expected: Health) -> None:
    assert verdict(changed(window(), p99(value), where)) is expected, name


def test_a_run_is_not_broken_by_a_period_without_data() -> None:
    slow = changed(window(), p99(262.0), range(100, 107))
    assert verdict(changed(slow, silent, range(103, 104))) is Health.BREACH


def test_a_period_below_1000_requests_never_counts() -> None:
    slow = changed(window(), p99(900.0), range(100, 160))
    assert verdict(slow) is Health.BREACH
    few = changed(slow, lambda each: replace(each, requests=999.0), range(100, 160))
    assert BASELINE.judge(few, after(few)).reason.startswith("requests are 14% of what is usual")
    thin = Baseline(past(requests=1_100.0))
    seldom = changed(window(requests=1_100.0, p99_ms=900.0), lambda each: replace(each, requests=999.0), range(DAYS_2))
    assert verdict(seldom, thin) is Health.INCONCLUSIVE


def test_less_than_1_ms_above_expected_never_counts() -> None:
    fast = Baseline(past(p99_ms=3.0))
    assert verdict(changed(window(p99_ms=3.0), p99(3.9), range(100, 120)), fast) is Health.HEALTHY
    assert verdict(changed(window(p99_ms=3.0), p99(4.0), range(100, 120)), fast) is Health.BREACH


def test_a_fast_service_is_held_to_the_same_shares() -> None:
    assert verdict(window(p99_ms=24.8), Baseline(past(p99_ms=20.0))) is Health.BREACH
    assert verdict(window(p99_ms=23.8), Baseline(past(p99_ms=20.0))) is Health.HEALTHY


@pytest.mark.parametrize(
    ("name", "share", "where", "expected"),
    [
        ("0.45 % all the time", 0.0045, range(DAYS_2), Health.HEALTHY),
        ("0.6 % for half an hour: a pooled hour is not sure of it", 0.006, range(100, 106), Health.HEALTHY),
        ("0.6 % for an hour", 0.006, range(100, 112), Health.BREACH),
        ("1.5 % in 2 periods", 0.015, range(100, 102), Health.HEALTHY),
        ("1.5 % in 3 in a row", 0.015, range(100, 103), Health.BREACH),
        ("3 % once", 0.03, range(100, 101), Health.HEALTHY),
        ("3 % in the first period: no hour is over yet", 0.03, range(1), Health.HEALTHY),
        ("3 % twice in an hour", 0.03, range(100, 107, 6), Health.BREACH),
        ("3 % twice in a day", 0.03, range(100, 300, 144), Health.HEALTHY),
        ("12 % once", 0.12, range(100, 101), Health.BREACH),
    ],
)
def test_errors(name: str, share: float, where: range, expected: Health) -> None:
    assert verdict(changed(window(), failed(share), where)) is expected, name


def test_fewer_than_20_errors_are_never_a_breach() -> None:
    quiet = changed(window(), lambda each: replace(each, requests=30.0, target_5xx=19.0), range(100, 101))
    assert verdict(changed(quiet, lambda each: replace(each, target_5xx=0.0), range(90, 100))) is Health.HEALTHY
    assert verdict(changed(quiet, lambda each: replace(each, target_5xx=20.0), range(100, 101))) is Health.BREACH


@pytest.mark.parametrize("requests", [None, 0.0])
def test_a_total_outage_is_a_breach_within_5_minutes(requests: float | None) -> None:
    for healthy_before in (0, 1, 300):
        seen = [*window(healthy_before), Sample(APPLY + FIVE * healthy_before, requests, None, 3.0, None)]
        found = BASELINE.judge(seen, after(seen))
        assert found.verdict is Health.BREACH
        assert "outage" in found.reason


def test_load_balancer_errors_count_on_top_of_requests() -> None:
    half = changed(window(), lambda each: replace(each, requests=700.0, target_5xx=None, elb_5xx=100.0), range(50, 51))
    assert verdict(half) is Health.BREACH  # 100 of 800


@pytest.mark.parametrize(
    ("name", "silent_at", "expected"),
    [
        ("4.9 % in the middle", range(248, 276), Health.HEALTHY),
        ("4.9 % at the end", range(548, DAYS_2), Health.INCONCLUSIVE),
        ("5.2 % at the end", range(546, DAYS_2), Health.INCONCLUSIVE),
        ("5.2 % scattered", range(0, 300, 10), Health.INCONCLUSIVE),
        ("everything", range(DAYS_2), Health.INCONCLUSIVE),
    ],
)
@pytest.mark.parametrize("left_out", [False, True])
def test_missing_data_holds(name: str, silent_at: range, expected: Health, left_out: bool) -> None:
    samples = changed(window(), silent, silent_at)
    now = after(samples) + FIVE
    if left_out:  # a period without datapoints may be absent altogether
        samples = [each for each in samples if each.requests is not None or each.at == APPLY]
    assert BASELINE.judge(samples, now).verdict is expected, name


def test_requests_without_p99_are_missing_data() -> None:
    assert verdict(changed(window(), p99(None), range(0, DAYS_2, 2))) is Health.INCONCLUSIVE


def test_a_window_that_went_silent_is_held_although_nobody_sends_empty_samples() -> None:
    seen = window(100)
    assert BASELINE.judge(seen, after(seen) + timedelta(minutes=10)).verdict is Health.HEALTHY
    assert BASELINE.judge(seen, after(seen) + timedelta(hours=1)).verdict is Health.INCONCLUSIVE


def test_periods_that_are_not_over_do_not_count() -> None:
    seen = [*window(100), Sample(APPLY + FIVE * 100, None, None, 900.0, None)]
    assert BASELINE.judge(seen, seen[-1].at + timedelta(minutes=4)).verdict is Health.HEALTHY
    assert BASELINE.judge(seen, after(seen)).verdict is Health.BREACH


@pytest.mark.parametrize(
    ("days", "expected"), [(27.5, Health.INCONCLUSIVE), (28, Health.HEALTHY), (40, Health.HEALTHY)]
)
def test_the_baseline_holds_28_days(days: float, expected: Health) -> None:
    baseline = Baseline(past(round(days * 288)))
    assert verdict(window(), baseline) is expected
    assert baseline.judge([], APPLY).verdict is expected


def test_an_outage_needs_no_baseline() -> None:
    assert judge([], [Sample(APPLY, None, None, 50.0, None)], APPLY + FIVE).verdict is Health.BREACH
    assert judge([], window(), APPLY + FIVE * DAYS_2).verdict is Health.INCONCLUSIVE


@pytest.mark.parametrize(
    ("name", "change", "where", "fit"),
    [
        ("nothing", p99(200.0), range(0), True),
        ("an incident two weeks ago", p99(900.0), range(DAYS_28 - 14 * 288, DAYS_28 - 14 * 288 + 40), True),
        ("an incident five days ago", p99(900.0), range(DAYS_28 - 5 * 288, DAYS_28 - 5 * 288 + 40), False),
        ("14 % up for 48 h", p99(228.0), range(DAYS_28 - DAYS_2, DAYS_28), True),
        ("16 % up for 48 h", p99(232.0), range(DAYS_28 - DAYS_2, DAYS_28), False),
        ("errors yesterday", failed(0.03), range(DAYS_28 - 288, DAYS_28 - 282), False),
        ("silent since yesterday", silent, range(DAYS_28 - 288, DAYS_28), False),
    ],
)
def test_preflight(name: str, change: Change, where: range, fit: bool) -> None:
    found = judge(changed(past(), change, where), [], APPLY)
    assert found.verdict is (Health.HEALTHY if fit else Health.INCONCLUSIVE), (name, found.reason)


def test_a_stale_baseline_lets_nothing_start() -> None:
    assert BASELINE.judge([], APPLY + timedelta(minutes=30)).verdict is Health.HEALTHY
    assert BASELINE.judge([], APPLY + timedelta(hours=2)).verdict is Health.INCONCLUSIVE


def test_the_level_of_the_last_48_hours_raises_what_is_expected() -> None:
    up = Baseline(changed(past(), p99(224.0), range(DAYS_28 - DAYS_2, DAYS_28)))
    assert verdict(window(p99_ms=260.0)) is Health.BREACH
    assert verdict(window(p99_ms=260.0), up) is Health.HEALTHY


@pytest.mark.parametrize(
    ("name", "level", "now", "expected"),
    [
        ("20 % faster, then as slow as before", 160.0, 200.0, Health.BREACH),  # +25 %
        ("20 % faster, and it stays", 160.0, 170.0, Health.HEALTHY),
        ("10 % faster, then 28 % slower", 180.0, 230.0, Health.BREACH),
        ("10 % faster, then as before", 180.0, 200.0, Health.HEALTHY),
        ("half: at most a quarter is believed", 100.0, 178.0, Health.HEALTHY),
        ("half, then three quarters and 30 %", 100.0, 196.0, Health.BREACH),
    ],
)
def test_after_an_improvement_the_limits_hold(name: str, level: float, now: float, expected: Health) -> None:
    faster = Baseline(changed(past(), p99(level), range(DAYS_28 - DAYS_2, DAYS_28)))
    assert verdict(window(p99_ms=now), faster) is expected, name


@pytest.mark.parametrize(
    ("level", "p99_ms", "expected"),
    [
        (160.0, 190.0, Health.HEALTHY),
        (160.0, 194.0, Health.BREACH),  # 160 and a fifth
        (180.0, 226.0, Health.HEALTHY),
        (180.0, 229.0, Health.BREACH),  # 200 x the root of 0.9, and a fifth
    ],
)
def test_for_a_later_phase_a_small_improvement_counts_by_half(level: float, p99_ms: float, expected: Health) -> None:
    faster = Baseline(changed(past(), p99(level), range(DAYS_28 - DAYS_2, DAYS_28)))
    assert (
        verdict([replace(each, at=each.at + timedelta(days=4)) for each in window(p99_ms=p99_ms)], faster) is expected
    )


@pytest.mark.parametrize(
    ("name", "incidents", "now", "expected"),
    [
        ("as ever", (9, 23), 206.0, Health.HEALTHY),
        ("a quarter longer than ever", (9, 23), 250.0, Health.BREACH),
        ("as ever, after a single incident", (9,), 206.0, Health.HEALTHY),
    ],
)
def test_against_weeks_that_incidents_lifted_the_usual_is_no_improvement(
    name: str, incidents: tuple[int, ...], now: float, expected: Health
) -> None:
    """On the two days of the week that were the last before the change, two of the four weeks were slower."""
    lived = past(DAYS_28 + 7 * 288)
    for days in incidents:
        first = len(lived) - days * 288
        lived = changed(lived, p99(272.0), range(first, first + DAYS_2))
    found = judge(lived, window(p99_ms=now), after(window()))
    assert found.verdict is expected, (name, found.reason)


@pytest.mark.parametrize(
    ("requests", "p99_ms", "expected"),
    [
        (7_000.0, 255.0, Health.BREACH),
        (8_400.0, 255.0, Health.BREACH),
        (10_500.0, 255.0, Health.HEALTHY),  # 200 x 1.5 / 1.2 expected
        (10_500.0, 305.0, Health.BREACH),
    ],
)
@pytest.mark.parametrize("noon", [7_000.0, 14_000.0])
def test_under_an_unexpected_surge_p99_may_rise(requests: float, p99_ms: float, expected: Health, noon: float) -> None:
    """Whether or not the past saw as many requests at other times, under which p99 stayed as it is."""
    lived = [replace(each, requests=noon) if each.at.hour in range(10, 14) else each for each in past()]
    surge = changed(window(), lambda each: replace(each, requests=requests, p99_ms=p99_ms), range(84, 156))
    assert (
        verdict(
            [replace(e, requests=max(e.requests or 0.0, noon)) if e.at.hour in range(10, 14) else e for e in surge],
            Baseline(lived),
        )
        is expected
    )


def test_fewer_requests_are_no_improvement() -> None:
    holiday = changed(past(), lambda s: replace(s, requests=4_000.0, p99_ms=160.0), range(DAYS_28 - DAYS_2, DAYS_28))
    assert verdict(window(p99_ms=220.0), Baseline(holiday)) is Health.HEALTHY


def test_a_slow_hour_of_every_monday_is_expected() -> None:
    mondays = [replace(s, p99_ms=600.0) if s.at.weekday() == 0 and s.at.hour == 20 else s for s in past()]
    baseline = Baseline(mondays)
    monday_evening = changed(window(), p99(600.0), range(144, 156))  # 20:00 to 21:00
    tuesday_evening = changed(window(), p99(600.0), range(432, 444))
    assert verdict(monday_evening) is Health.BREACH
    assert verdict(monday_evening, baseline) is Health.HEALTHY
    assert verdict(tuesday_evening, baseline) is Health.BREACH
    assert expected_p99(mondays, [APPLY, APPLY + timedelta(hours=12, minutes=30)]) == [200.0, 600.0]


def test_low_traffic_is_pooled_to_longer_periods() -> None:
    thin = Baseline(past(requests=100.0))  # ten periods for 1,000 requests: pooled to one hour
    assert verdict([replace(s, target_5xx=None) for s in window(requests=100.0)], thin) is Health.HEALTHY
    slow = [replace(s, target_5xx=None) for s in window(requests=100.0, p99_ms=280.0)]
    assert verdict(slow[:72], thin) is Health.BREACH  # six hours in a row
    assert verdict(slow[:60], thin) is Health.HEALTHY


@pytest.mark.parametrize(("p99_ms", "periods", "expected"), [(340.0, 6, True), (340.0, 4, False), (300.0, 6, False)])
def test_three_pooled_periods_far_above_are_a_breach(p99_ms: float, periods: int, expected: bool) -> None:
    """600 requests in five minutes: judged by ten, of which six in a row would take an hour."""
    seen = changed(window(60, requests=600.0), p99(p99_ms), range(24, 24 + periods))
    healthy = [replace(each, target_5xx=None) for each in seen]
    assert (verdict(healthy, Baseline(past(requests=600.0))) is Health.BREACH) is expected


def test_traffic_too_thin_to_judge_is_inconclusive() -> None:
    thin = Baseline(past(requests=40.0))
    assert verdict([replace(s, target_5xx=None) for s in window(requests=40.0)], thin) is Health.INCONCLUSIVE


def test_order_duplicates_and_time_zones_do_not_matter() -> None:
    slow = changed(window(), p99(262.0), range(100, 106))
    expected = BASELINE.judge(slow, after(slow))
    mixed = slow + slow[50:150]
    random.Random(1).shuffle(mixed)
    elsewhere = [replace(s, at=s.at.astimezone(timezone(timedelta(hours=-7)))) for s in mixed]
    shuffled = past()
    random.Random(2).shuffle(shuffled)
    assert judge(shuffled, elsewhere, after(slow)) == expected


def test_nan_is_no_datapoint() -> None:
    nan = float("nan")
    broken = changed(window(), lambda s: Sample(s.at, nan, nan, nan, nan), range(DAYS_2))
    assert verdict(broken) is Health.INCONCLUSIVE
    assert (
        verdict(changed(window(), lambda s: replace(s, target_5xx=nan, elb_5xx=nan), range(DAYS_2))) is Health.HEALTHY
    )


def test_the_first_breach_counts_and_is_named() -> None:
    samples = changed(changed(window(), failed(0.5), range(400, 402)), p99(262.0), range(100, 120))
    found = BASELINE.judge(samples, after(samples))
    assert found.reason == (
        "p99 262 ms at 2027-03-01 16:45 UTC, 200 ms expected: more than +30% in 6 of 6 5-minute periods"
    )


values = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.floats(0, 1e5))
anything = st.builds(
    Sample,
    at=st.integers(-600, 700).map(lambda n: APPLY + timedelta(minutes=5 * n, seconds=n)),
    requests=values,
    target_5xx=values,
    elb_5xx=values,
    p99_ms=values,
)


@settings(deadline=None)
@given(st.lists(anything, max_size=60), st.integers(0, 700))
def test_whatever_comes_a_verdict_with_a_reason_is_given_and_order_is_nothing(seen: list[Sample], now: int) -> None:
    at = APPLY + FIVE * now
    found = BASELINE.judge(seen, at)
    assert found.reason
    assert "\n" not in found.reason
    assert BASELINE.judge(seen[::-1], at) == found


@settings(deadline=None)
@given(st.integers(1, DAYS_2), st.integers(0, 1000))
def test_never_healthy_without_data(periods: int, wait: int) -> None:
    seen = changed(window(periods), silent, range(periods))
    assert BASELINE.judge(seen, after(seen) + timedelta(minutes=wait)).verdict is Health.INCONCLUSIVE


@settings(deadline=None)
@given(st.integers(0, 400), st.floats(1, 1e5))
def test_a_total_outage_at_any_time_is_a_breach_at_once(before: int, errors: float) -> None:
    seen = [*window(before), Sample(APPLY + FIVE * before, None, None, errors, None)]
    assert verdict(seen) is Health.BREACH


@settings(max_examples=20, deadline=None)
@given(st.floats(0.05, 1.0), st.integers(0, 2**32 - 1))
def test_a_healthy_service_stays_healthy_when_all_of_it_gets_faster_alike(factor: float, seed: int) -> None:
    noise = random.Random(seed)
    lived = [replace(s, p99_ms=200 * noise.lognormvariate(0, 0.05)) for s in [*past(), *window()]]
    scaled = [replace(s, p99_ms=(s.p99_ms or 0.0) * factor) for s in lived]
    for each in (lived, scaled):
        found = judge(each[:DAYS_28], each[DAYS_28:], after(each))
        assert found.verdict is Health.HEALTHY, found.reason


@settings(deadline=None)
@given(st.integers(1, DAYS_2), st.integers(1, DAYS_2))
def test_a_breach_stays_a_breach_as_the_window_grows(first: int, second: int) -> None:
    samples = changed(window(), p99(262.0), range(100, 106))
    shorter, longer = sorted((first, second))
    if verdict(samples[:shorter]) is Health.BREACH:
        assert verdict(samples[:longer]) is Health.BREACH
