"""The workload against the judge of health: a healthy window is healthy, a struck one breaches, in any life."""

from datetime import UTC, datetime, timedelta

import pytest

from emulator.workload.spec import WorkloadEvent
from optimizer.decide.doubts import SPOKEN_OF
from optimizer.decide.health import judge
from optimizer.model.health import Health, Sample
from rehearsal.scenario import load_scenario
from tests.rehearsal.life import BALANCER, DESIGNED, NOW, platform, series, workload

APPLIED = timedelta(hours=1)
WINDOW = timedelta(hours=48)
UNSERVED = {
    "target_4xx": "HTTPCode_Target_4XX_Count",
    "elb_4xx": "HTTPCode_ELB_4XX_Count",
    "rejected": "RejectedConnectionCount",
    "tls_errors": "ClientTLSNegotiationErrorCount",
    "connection_errors": "TargetConnectionErrorCount",
}


def samples(life, start, end):
    def read(name, statistic):
        return series(life, "AWS/ApplicationELB", name, BALANCER, statistic, start=start, end=end)

    requests, latency = read("RequestCount", "Sum"), read("TargetResponseTime", "p99")
    target, elb = read("HTTPCode_Target_5XX_Count", "Sum"), read("HTTPCode_ELB_5XX_Count", "Sum")
    counted = {name: read(metric, "Sum") for name, metric in UNSERVED.items()}
    return [
        Sample(
            at=datetime.fromtimestamp(at, UTC),
            requests=requests.get(at),
            target_5xx=target.get(at),
            elb_5xx=elb.get(at),
            p99_ms=latency[at] * 1000 if at in latency else None,
            **{name: found.get(at) for name, found in counted.items()},
        )
        for at in range(int(start.timestamp()), int(end.timestamp()), 300)
    ]


def assessed(seed, *, spec=None, events=(), hours=48):
    """The pre-flight, and the verdict on the first hours after the compute phase. Each seed begins at another hour."""
    begin = NOW + timedelta(hours=7 * seed)
    life = workload(**({"spec": spec} if spec else {}), seed=seed, events=events)
    life.remember(begin, platform("m5.2xlarge", 8))
    life.milestone("phase2.applied", begin + APPLIED)
    end = begin + APPLIED + timedelta(hours=hours)
    baseline = samples(life, begin - timedelta(days=28), begin)
    settled = timedelta(minutes=15)
    return judge(baseline, [], begin + settled), judge(baseline, samples(life, begin, end), end + settled)


@pytest.mark.slow
def test_healthy_windows_are_judged_healthy():
    for seed in range(30):
        before, after = assessed(seed)
        assert (before.verdict, after.verdict) == (Health.HEALTHY, Health.HEALTHY), f"seed {seed}: {after.reason}"


@pytest.mark.slow
def test_the_regression_breaches_within_hours():
    events = load_scenario("regression").events
    for seed in range(10):
        _, early = assessed(seed, events=events, hours=2)
        _, late = assessed(seed, events=events, hours=5)
        assert (early.verdict, late.verdict) == (Health.HEALTHY, Health.BREACH), f"seed {seed}: {late.reason}"


def test_silent_metrics_are_never_healthy():
    _, verdict = assessed(1, events=load_scenario("silent-metrics").events)
    assert verdict.verdict is Health.INCONCLUSIVE


@pytest.mark.parametrize("name", UNSERVED)
def test_requests_that_fail_where_no_5xx_counts_them_hold(name):
    event = WorkloadEvent(on="phase2.applied", after_minutes=60, until_minutes=150, unserved={name: 0.06})
    before, after = assessed(1, events=[event], hours=4)
    assert (before.verdict, after.verdict) == (Health.HEALTHY, Health.INCONCLUSIVE)
    assert after.reason.startswith(SPOKEN_OF[name])
    assert " of requests in the hour to " in after.reason


def test_the_small_fleet_under_the_design_load_breaches():
    _, verdict = assessed(1, spec=DESIGNED, hours=2)
    assert verdict.verdict is Health.BREACH
