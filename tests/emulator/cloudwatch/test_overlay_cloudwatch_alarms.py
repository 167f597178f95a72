"""Alarms in the emulated account: states in simulated time, missing data, calls of listeners."""

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount
from emulator.services.cloudwatch.alarms import AlarmStates
from emulator.services.eventbridge.event_patterns import alarm_changed
from emulator.workload.spec import WorkloadEvent
from emulator.workload.workload import Workload
from tests.rehearsal.life import NOW, QUIET, REGION, serve

TOOLING, PRODUCTION = "111111111111", "222222222222"
FIVE, HOUR = timedelta(minutes=5), timedelta(hours=1)
OUTAGE, MENDED, SILENCE = "phase1.applied", "phase1.rolled_back", "phase2.applied"
EVENTS = (
    WorkloadEvent(on=OUTAGE, outage=True, until=MENDED),
    WorkloadEvent(on=SILENCE, silent=True),
)


@pytest.fixture
def account():
    with EmulatedAccount(start=NOW - timedelta(hours=6), tooling=TOOLING, production=PRODUCTION) as account:
        account.workload = Workload(QUIET, account, 0, events=EVENTS)
        serve(account, "tap-fleet", desired=3, maximum=4)
        account.clock.advance_to(NOW)
        yield account


@pytest.fixture
def cloudwatch(account):
    return account.client("cloudwatch", PRODUCTION, REGION)


def balancer(account):
    (found,) = account.client("elbv2", PRODUCTION, REGION).describe_load_balancers()["LoadBalancers"]
    return [{"Name": "LoadBalancer", "Value": found["LoadBalancerArn"].split("loadbalancer/")[1]}]


def metric(account, id, name, stat="Sum"):
    asked = {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": balancer(account)}
    return {"Id": id, "MetricStat": {"Metric": asked, "Period": 300, "Stat": stat}, "ReturnData": False}


def put(account, name="errors", **changes):
    """The foundation's own alarm on the error rate."""
    expression = "100 * (FILL(target, 0) + FILL(elb, 0)) / (FILL(requests, 0) + FILL(elb, 0))"
    asked = {
        "AlarmName": name,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0.5,
        "EvaluationPeriods": 3,
        "TreatMissingData": "notBreaching",
        "Metrics": [
            {"Id": "rate", "Expression": expression},
            metric(account, "target", "HTTPCode_Target_5XX_Count"),
            metric(account, "elb", "HTTPCode_ELB_5XX_Count"),
            metric(account, "requests", "RequestCount"),
        ],
    }
    asked = {key: value for key, value in {**asked, **changes}.items() if value is not None}
    account.client("cloudwatch", PRODUCTION, REGION).put_metric_alarm(**asked)


def put_single(account, name, metric_name="RequestCount", **changes):
    single = {
        "Metrics": None,
        "Namespace": "AWS/ApplicationELB",
        "MetricName": metric_name,
        "Dimensions": balancer(account),
        "Period": 300,
        "Statistic": "Sum",
    }
    put(account, name, **{**single, **changes})


def state(cloudwatch, name="errors"):
    return cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]


def happen(account, milestone):
    account.workload.milestone(milestone, account.clock.now())
    account.part(AlarmStates).look_soon(account)


def test_a_new_alarm_knows_nothing_until_it_is_evaluated(account, cloudwatch):
    put(account)
    (shown,) = cloudwatch.describe_alarms()["MetricAlarms"]
    assert (shown["StateValue"], shown["StateReason"]) == (
        "INSUFFICIENT_DATA",
        "Unchecked: Initial alarm creation",
    )
    account.clock.sleep(FIVE.total_seconds())
    assert state(cloudwatch) == "OK"


def test_three_of_three_periods_beyond_the_limit_are_an_alarm(account, cloudwatch):
    put(account)
    account.clock.sleep(HOUR.total_seconds())
    happen(account, OUTAGE)
    account.clock.sleep(14 * 60)
    assert state(cloudwatch) == "OK"
    account.clock.sleep(8 * 60)
    assert state(cloudwatch) == "ALARM"
    happen(account, MENDED)
    account.clock.sleep(12 * 60)
    assert state(cloudwatch) == "OK"


def test_it_does_not_matter_when_somebody_looks(account, cloudwatch):
    put(account, "watched")
    put(account, "forgotten")
    for number in range(60):
        if number in (12, 24):
            happen(account, {12: OUTAGE, 24: MENDED}[number])
        account.clock.sleep(180)
        state(cloudwatch, "watched")
    histories = [
        [
            (each["Timestamp"], each["HistorySummary"])
            for each in cloudwatch.describe_alarm_history(AlarmName=name)["AlarmHistoryItems"]
        ]
        for name in ("watched", "forgotten")
    ]
    assert histories[0] == histories[1]
    assert [summary for _, summary in histories[0]] == [
        "Alarm updated from ALARM to OK",
        "Alarm updated from OK to ALARM",
        "Alarm updated from INSUFFICIENT_DATA to OK",
    ]


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("missing", "INSUFFICIENT_DATA"), ("ignore", "OK"), ("breaching", "ALARM"), ("notBreaching", "OK")],
)
def test_silence_counts_as_the_alarm_says(account, cloudwatch, missing, expected):
    put_single(account, "errors", Threshold=1e9, TreatMissingData=missing)
    account.clock.sleep(HOUR.total_seconds())
    assert state(cloudwatch) == "OK"
    happen(account, SILENCE)
    account.clock.sleep(HOUR.total_seconds())
    assert state(cloudwatch) == expected


def test_alarms_on_dynamodb_always_ignore_what_is_missing(account, cloudwatch):
    put_single(
        account, "errors", "ReadThrottleEvents", Namespace="AWS/DynamoDB", Dimensions=[], TreatMissingData="breaching"
    )
    account.clock.sleep(HOUR.total_seconds())
    assert state(cloudwatch) == "INSUFFICIENT_DATA"


def test_a_metric_that_nobody_publishes_here_is_not_judged(account, cloudwatch):
    put_single(account, "errors", "Builds", Namespace="AWS/CodeBuild", TreatMissingData="breaching")
    account.clock.sleep(HOUR.total_seconds())
    assert state(cloudwatch) == "INSUFFICIENT_DATA"


def test_percentiles_and_data_of_ones_own(account, cloudwatch):
    put_single(account, "p99", "TargetResponseTime", Statistic=None, ExtendedStatistic="p99", Threshold=0.05)
    put_single(account, "lag", "lag", Namespace="tap", Dimensions=[], Statistic="Maximum", EvaluationPeriods=1)
    cloudwatch.put_metric_data(Namespace="tap", MetricData=[{"MetricName": "lag", "Value": 2.0}])
    account.clock.sleep(8 * 60)
    assert (state(cloudwatch, "p99"), state(cloudwatch, "lag")) == ("ALARM", "ALARM")


def test_listeners_hear_of_a_change_at_its_time(account, cloudwatch):
    put(account)
    heard = []
    account.part(AlarmStates).listen(account, lambda change: heard.append((account.clock.now(), change)))
    account.clock.sleep(HOUR.total_seconds())
    happen(account, OUTAGE)
    account.clock.sleep(12 * HOUR.total_seconds())
    assert [change.after.value for _, change in heard] == ["OK", "ALARM"]
    assert all(at == change.at for at, change in heard)
    began = NOW + HOUR
    assert timedelta(minutes=15) <= heard[1][0] - began <= timedelta(minutes=22)
    event = alarm_changed(heard[1][1])
    assert event["detail"]["state"]["value"] == "ALARM"
    assert event["resources"][0].endswith(":alarm:errors")
    assert "Threshold Crossed: 3 out of the last 3 datapoints" in event["detail"]["state"]["reason"]


def test_listeners_hear_of_data_that_is_put(account, cloudwatch):
    put_single(account, "lag", "lag", Namespace="tap", Dimensions=[], Statistic="Maximum", EvaluationPeriods=1)
    heard = []
    account.part(AlarmStates).listen(account, heard.append)
    account.clock.sleep(2 * HOUR.total_seconds())
    cloudwatch.put_metric_data(Namespace="tap", MetricData=[{"MetricName": "lag", "Value": 2.0}])
    account.clock.sleep(8 * 60)
    assert [change.after.value for change in heard] == ["OK", "ALARM"]


def test_a_state_that_is_set_lasts_until_the_next_evaluation(account, cloudwatch):
    put(account)
    account.clock.sleep(HOUR.total_seconds())
    assert state(cloudwatch) == "OK"
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a drill")
    assert state(cloudwatch) == "ALARM"
    account.clock.sleep(FIVE.total_seconds())
    assert state(cloudwatch) == "OK"


def test_an_alarm_that_is_put_again_keeps_its_state(account, cloudwatch):
    put(account)
    account.clock.sleep(HOUR.total_seconds())
    put(account, Threshold=1.0)
    assert state(cloudwatch) == "OK"
    assert cloudwatch.describe_alarms()["MetricAlarms"][0]["Threshold"] == 1.0


def test_what_is_described_is_narrowed_and_paged(account, cloudwatch):
    for name in ("tap-a", "tap-b", "other"):
        put(account, name, AlarmActions=["arn:aws:sns:us-east-1:222222222222:tap"] if name == "tap-a" else [])
    account.clock.sleep(HOUR.total_seconds())
    cloudwatch.set_alarm_state(AlarmName="tap-b", StateValue="ALARM", StateReason="a drill")

    def names(**asked):
        return [each["AlarmName"] for each in cloudwatch.describe_alarms(**asked)["MetricAlarms"]]

    assert names(AlarmNamePrefix="tap-") == ["tap-a", "tap-b"]
    assert names(AlarmNames=["tap-a", "tap-b"], StateValue="ALARM") == ["tap-b"]
    assert names(ActionPrefix="arn:aws:sns") == ["tap-a"]
    assert names(AlarmTypes=["CompositeAlarm"]) == []
    pages = cloudwatch.get_paginator("describe_alarms").paginate(PaginationConfig={"PageSize": 2})
    assert [len(page["MetricAlarms"]) for page in pages] == [2, 1]


@pytest.mark.parametrize(
    "changes",
    [
        {"Threshold": None},
        {"DatapointsToAlarm": 4},
        {"Metrics": None},
        {"MetricName": "m", "Namespace": "n", "Period": 300, "Statistic": "Sum"},
        {
            "Metrics": None,
            "MetricName": "m",
            "Namespace": "n",
            "Period": 300,
            "Statistic": "Sum",
            "EvaluationPeriods": 289,
        },
    ],
)
def test_alarms_that_make_no_sense_are_refused(account, changes):
    with pytest.raises(ClientError, match="ValidationError"):
        put(account, **changes)


def test_an_alarm_that_is_not_there(account, cloudwatch):
    with pytest.raises(ClientError, match="ResourceNotFound"):
        cloudwatch.delete_alarms(AlarmNames=["errors"])
    put(account)
    cloudwatch.delete_alarms(AlarmNames=["errors"])
    assert not cloudwatch.describe_alarms()["MetricAlarms"]


def test_what_is_not_emulated_says_so(account, cloudwatch):
    with pytest.raises(NotImplementedError, match="composite"):
        cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(errors)")
    with pytest.raises(NotImplementedError, match="anomaly"):
        put(account, ComparisonOperator="LessThanLowerOrGreaterThanUpperThreshold")
