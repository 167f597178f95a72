"""Indexes and streams in the metrics: queries by index, the effect of a deny on requests, readers of a stream."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.sizing import Sizing
from emulator.workload.indexes import BY_CALENDAR, PER_REQUEST
from emulator.workload.spec import IndexJob, IndexQueries, WorkloadEvent
from emulator.workload.workload import Workload
from tests.rehearsal.life import BALANCER, BORN, NOW, QUIET, REGION, StandingAccount, platform, series, values

DAY = timedelta(days=1)
TABLES = {name: table.indexes for name, table in Sizing.AS_DESIGNED.tables.items()}
LABEL = "2027-01-01T00:00:00"


def configured(**changes):
    found = platform()
    return {**found, REGION: replace(found[REGION], tables=TABLES, **changes)}


def life(*changes, events=(), jobs=(), **first):
    """A life of the designed tables; `changes` are (time, fields of the Region) of later configurations."""
    made = Workload(QUIET, StandingAccount(), 0, events=events, jobs=jobs)
    made.remember(BORN, configured(**first))
    for at, fields in changes:
        made.remember(at, configured(**fields))
    return made


def reads(made, table, index, *, start=NOW - 7 * DAY, end=NOW):
    dimensions = {"TableName": table, "GlobalSecondaryIndexName": index}
    found = series(made, "AWS/DynamoDB", "ConsumedReadCapacityUnits", dimensions, "Sum", start=start, end=end)
    return values(found).sum()


def error_rate(made, start, end):
    failed, all_of_them = (
        values(series(made, "AWS/ApplicationELB", name, BALANCER, "Sum", start=start, end=end)).sum()
        for name in ("HTTPCode_Target_5XX_Count", "RequestCount")
    )
    return failed / all_of_them


@pytest.mark.parametrize("table", sorted(TABLES))
def test_each_table_has_two_indexes_in_use_and_two_that_hardly_are(table):
    made = life()
    weekly = {index: reads(made, table, index) for index in TABLES[table]}
    used = {index for index, units in weekly.items() if units >= 25}
    assert used == {index for name, index in PER_REQUEST if name == table}
    assert len(used) == 2


def test_what_is_looked_at_by_hand_stays_below_50_queries_a_week():
    (by_hand,) = BY_CALENDAR
    assert reads(life(), by_hand.table, by_hand.index) == 7.0  # two queries a day, half a unit each


def test_a_job_queries_on_its_days_only():
    job = IndexJob(table="audit_logs", index="by-action", every_days=30, queries=400)
    weeks = [reads(life(jobs=(job,)), "audit_logs", "by-action", start=NOW - (n + 1) * 7 * DAY, end=NOW - n * 7 * DAY)
             for n in range(8)]  # fmt: skip
    assert sorted(weeks) == [0.0] * 7 + [200.0]


def test_a_denied_index_answers_nothing_and_fails_the_requests_that_need_it():
    denied_at = NOW - 2 * DAY
    made = life((denied_at, {"unreadable": {"tenants": ("by-status",)}}))
    assert reads(made, "tenants", "by-status", start=denied_at, end=NOW) == 0
    assert error_rate(made, denied_at - DAY, denied_at) < 0.001
    assert error_rate(made, denied_at, NOW) == pytest.approx(PER_REQUEST["tenants", "by-status"], rel=0.1)


def test_denying_what_nobody_queries_fails_nothing():
    made = life((NOW - DAY, {"unreadable": {"users": ("by-last-login", "by-invitation")}}))
    assert error_rate(made, NOW - DAY, NOW) < 0.001


def test_an_index_may_be_needed_from_a_milestone_on():
    event = WorkloadEvent(
        on="phase1.applied", queries=IndexQueries(table="users", index="by-invitation", per_request=0.02)
    )
    applied = NOW - DAY
    served, denied = (
        life(events=(event,)),
        life((applied, {"unreadable": {"users": ("by-invitation",)}}), events=(event,)),
    )
    for made in (served, denied):
        made.milestone("phase1.applied", applied)
    assert reads(served, "users", "by-invitation", start=applied) > 10_000
    assert error_rate(served, applied, NOW) < 0.001
    assert error_rate(denied, applied, NOW) == pytest.approx(0.02, rel=0.1)


def get_records(made, label):
    dimensions = {"TableName": "users", "Operation": "GetRecords", "StreamLabel": label}
    found = series(
        made, "AWS/DynamoDB", "SuccessfulRequestLatency", dimensions, "SampleCount", start=NOW - DAY, end=NOW
    )
    return values(found).sum()


@pytest.mark.parametrize(
    ("consumers", "label", "expected"),
    [({"users": 2}, LABEL, 2 * 4 * 86_400), ({}, LABEL, 0), ({"users": 2}, "another", 0), ({"tenants": 1}, LABEL, 0)],
)
def test_consumers_read_the_stream_that_is_on(consumers, label, expected):
    made = life(streams={"users": LABEL}, consumers=consumers)
    assert get_records(made, label) == expected
