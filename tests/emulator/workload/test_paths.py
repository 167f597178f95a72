"""The load balancer's metrics by target group, the rhythm of the users' clock, and nightly jobs."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from emulator.workload.spec import NightlyJob, WorkloadEvent, WorkloadSpec
from tests.rehearsal.life import BALANCER, NOW, QUIET, series, values, workload

ADMIN, API = ({**BALANCER, "TargetGroup": f"targetgroup/tap-{name}"} for name in ("admin/2", "api/1"))
SLOW = WorkloadEvent(on="phase2.applied", path="tap-admin", p99_factor=2.0)
FAILING = WorkloadEvent(on="phase2.applied", path="tap-admin", error_rate=0.2)


def read(life, name, dimensions, statistic="Sum", day=1):
    start = NOW - timedelta(days=day)
    return values(series(life, "AWS/ApplicationELB", name, dimensions, statistic, start=start, end=NOW))


def struck(*events):
    life = workload(events=events)
    life.milestone("phase2.applied", NOW - timedelta(days=2))
    return life


def test_target_groups_share_the_load_balancers_requests():
    whole, admin, api = (read(workload(), "RequestCount", each).sum() for each in (BALANCER, ADMIN, API))
    assert admin / whole == pytest.approx(0.03 / 0.73, rel=0.02)
    assert admin + api == pytest.approx(whole, rel=0.001)
    for name in ("HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_4XX_Count", "ClientTLSNegotiationErrorCount"):
        assert len(read(workload(), name, BALANCER))
        assert not len(read(workload(), name, ADMIN))  # published by load balancer only


def test_a_slow_path_is_slow_itself_and_hardly_felt_in_the_whole():
    for dimensions, low, high in ((ADMIN, 1.9, 2.1), (API, 0.99, 1.01), (BALANCER, 1.03, 1.12)):
        now, usual = (read(life, "TargetResponseTime", dimensions, "p99") for life in (struck(SLOW), workload()))
        assert low < np.median(now / usual) < high


def test_a_failing_path_fails_by_itself():
    rates = [
        read(struck(FAILING), "HTTPCode_Target_5XX_Count", each).sum() / read(workload(), "RequestCount", each).sum()
        for each in (ADMIN, BALANCER)
    ]
    assert rates[0] == pytest.approx(0.2, abs=0.01)
    assert rates[1] == pytest.approx(0.2 * 0.03 / 0.73, abs=0.001)


def test_a_path_needs_an_effect_of_its_own():
    with pytest.raises(ValueError, match="tap-admin needs"):
        WorkloadEvent(on="phase2.applied", path="tap-admin", outage=True)


def test_users_come_by_their_own_clock():
    def busiest(at, zone):
        life = workload(WorkloadSpec(**{**QUIET.model_dump(), "zone": zone}))
        found = series(
            life, "AWS/ApplicationELB", "RequestCount", BALANCER, "Sum", start=at, end=at + timedelta(days=1)
        )
        load = np.array([found[each] for each in sorted(found)])
        return int(np.argmax(np.convolve(load, np.ones(36), "valid"))) / 12

    winter, summer = datetime(2027, 2, 23, tzinfo=UTC), datetime(2027, 2, 24, tzinfo=UTC)
    assert busiest(winter, "UTC") == pytest.approx(15, abs=1.5)
    assert busiest(summer, "America/New_York") == pytest.approx(15 + 5, abs=1.5)


def test_a_nightly_job_slows_its_quarter_of_an_hour_down():
    job = NightlyJob(hour=3, minutes=20, p99_factor=2.0)
    life = workload(WorkloadSpec(**{**QUIET.model_dump(), "nightly_jobs": (job,)}))
    start = NOW.replace(hour=2, minute=30) - timedelta(days=3)
    span = {"start": start, "end": start + timedelta(hours=1, minutes=30)}
    slow, usual = (
        values(series(each, "AWS/ApplicationELB", "TargetResponseTime", BALANCER, "p99", **span))
        for each in (life, workload())
    )
    assert slow / usual == pytest.approx([1.0] * 6 + [2.0] * 4 + [1.0] * 8, rel=0.05)
