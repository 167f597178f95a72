"""CloudWatch in the emulated account: its limits, its pages, its retention, and the sources of its metrics."""

from datetime import datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount
from emulator.workload.workload import Workload
from tests.rehearsal.life import NOW, QUIET, REGION, serve

TOOLING, PRODUCTION = "111111111111", "222222222222"
BORN = NOW - timedelta(days=70)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(scope="module")
def account():
    """A load balancer, a fleet and a database, 70 days old."""
    with EmulatedAccount(start=BORN, tooling=TOOLING, production=PRODUCTION) as account:
        Workload(QUIET, account, 0, events=())
        serve(account, "tap-fleet", desired=3, maximum=4)
        account.client("rds", PRODUCTION, REGION).create_db_cluster(
            DBClusterIdentifier="tap-database",
            Engine="aurora-postgresql",
            MasterUsername="tap",
            MasterUserPassword="not-a-secret",
            BackupRetentionPeriod=30,
        )
        account.clock.advance_to(NOW)
        yield account


@pytest.fixture
def cloudwatch(account):
    return account.client("cloudwatch", PRODUCTION, REGION)


def balancer(account):
    (found,) = account.client("elbv2", PRODUCTION, REGION).describe_load_balancers()["LoadBalancers"]
    return [{"Name": "LoadBalancer", "Value": found["LoadBalancerArn"].split("loadbalancer/")[1]}]


def query(account, name="RequestCount", stat="Sum", period=300, id="a", **more):
    metric = {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": balancer(account)}
    return {"Id": id, "MetricStat": {"Metric": metric, "Period": period, "Stat": stat, **more}}


def ask(cloudwatch, *queries, start=NOW - DAY, end=NOW - HOUR, **more):
    return cloudwatch.get_metric_data(MetricDataQueries=list(queries), StartTime=start, EndTime=end, **more)


def times(answer, index=0):
    return [each.astimezone(NOW.tzinfo) for each in answer["MetricDataResults"][index]["Timestamps"]]


def refused(call, *args, **kwargs):
    with pytest.raises(ClientError) as caught:
        call(*args, **kwargs)
    return caught.value.response["Error"]["Code"]


def test_metrics_begin_when_their_resource_does(account, cloudwatch):
    answer = ask(cloudwatch, query(account, period=3600), start=BORN - 5 * DAY, end=BORN + 5 * DAY)
    assert min(times(answer)) >= BORN.replace(minute=0)


@pytest.mark.parametrize(("period", "days"), [(60, 15), (300, 63), (3600, 70)])
def test_the_finer_the_period_the_shorter_it_is_kept(account, cloudwatch, period, days):
    statistic = {"start": NOW - 69 * DAY, "end": NOW - 69 * DAY + HOUR}
    old = ask(cloudwatch, query(account, period=period), **statistic)["MetricDataResults"][0]["Values"]
    assert bool(old) is (days >= 69)
    edge = ask(cloudwatch, query(account, period=period), start=NOW - days * DAY - HOUR, end=NOW - days * DAY + HOUR)
    assert min(times(edge)) >= NOW - days * DAY


def test_pages_hold_a_hundred_thousand_datapoints_and_fit_together(account, cloudwatch):
    queries = [query(account, id=f"q{n}", stat=stat) for n, stat in enumerate(["Sum", "Average", "p50"])]
    whole = ask(cloudwatch, *queries, start=NOW - 2 * DAY)
    pages = [ask(cloudwatch, *queries, start=NOW - 2 * DAY, MaxDatapoints=500)]
    while token := pages[-1].get("NextToken"):
        pages.append(ask(cloudwatch, *queries, start=NOW - 2 * DAY, MaxDatapoints=500, NextToken=token))
    joined: dict[str, list[tuple[datetime, float]]] = {}
    for page in pages:
        assert sum(len(each["Values"]) for each in page["MetricDataResults"]) <= 500
        for each in page["MetricDataResults"]:
            joined.setdefault(each["Id"], []).extend(zip(each["Timestamps"], each["Values"], strict=True))
    assert joined == {
        each["Id"]: list(zip(each["Timestamps"], each["Values"], strict=True)) for each in whole["MetricDataResults"]
    }
    assert pages[0]["MetricDataResults"][-1]["StatusCode"] == "PartialData"
    assert pages[-1]["MetricDataResults"][-1]["StatusCode"] == "Complete"


def test_sixty_days_in_five_minutes_of_six_series_need_two_pages(account, cloudwatch):
    queries = [query(account, id=f"q{n}") for n in range(6)]
    answer = ask(cloudwatch, *queries, start=NOW - 60 * DAY, end=NOW)
    assert sum(len(each["Values"]) for each in answer["MetricDataResults"]) == 100_800
    assert "NextToken" in answer


def test_the_newest_datapoint_comes_first_unless_asked_otherwise(account, cloudwatch):
    newest = times(ask(cloudwatch, query(account)))
    oldest = times(ask(cloudwatch, query(account), ScanBy="TimestampAscending"))
    assert newest == oldest[::-1] == sorted(newest, reverse=True)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"period": 90}, "ValidationError"),
        ({"stat": "TM(10%:90%)"}, "ValidationError"),
        ({"id": "Upper"}, "ValidationError"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(account, cloudwatch, change, code):
    assert refused(ask, cloudwatch, query(account, **change)) == code


def test_too_many_queries_a_double_id_a_backward_range_and_a_wrong_token_are_refused(account, cloudwatch):
    many = [query(account, id=f"q{n}") for n in range(501)]
    assert refused(ask, cloudwatch, *many) == "ValidationError"
    assert refused(ask, cloudwatch, query(account), query(account)) == "ValidationError"
    assert refused(ask, cloudwatch, query(account), start=NOW, end=NOW - DAY) == "ValidationError"
    assert refused(ask, cloudwatch, query(account), NextToken="nonsense") == "InvalidNextToken"


def test_metric_math_over_the_other_queries(account, cloudwatch):
    requests, errors = query(account), query(account, "HTTPCode_Target_5XX_Count", id="b")
    rate = {"Id": "rate", "Expression": "100 * FILL(b, 0) / a"}
    answer = ask(cloudwatch, rate, requests, {**errors, "ReturnData": False}, ScanBy="TimestampAscending")
    found, asked = answer["MetricDataResults"]
    assert (found["Id"], asked["Id"]) == ("rate", "a")
    assert found["Timestamps"] == asked["Timestamps"]
    assert 0 < sum(found["Values"]) / len(found["Values"]) < 0.1


def test_metric_math_that_is_not_known_is_not_pretended(cloudwatch):
    with pytest.raises(NotImplementedError, match="metric math"):
        ask(cloudwatch, {"Id": "a", "Expression": "SUM(METRICS())", "Period": 300})


def test_another_unit_another_account_and_another_region_have_no_datapoints(account, cloudwatch):
    assert ask(cloudwatch, query(account, Unit="Count"))["MetricDataResults"][0]["Values"]
    assert not ask(cloudwatch, query(account, Unit="Percent"))["MetricDataResults"][0]["Values"]
    for other, region in ((TOOLING, REGION), (PRODUCTION, "eu-west-1")):
        assert not ask(account.client("cloudwatch", other, region), query(account))["MetricDataResults"][0]["Values"]


def test_statistics_and_percentiles_of_one_metric(account, cloudwatch):
    asked = {"Namespace": "AWS/ApplicationELB", "MetricName": "TargetResponseTime", "Dimensions": balancer(account)}
    span = {"StartTime": NOW - DAY, "EndTime": NOW, "Period": 3600}
    answer = cloudwatch.get_metric_statistics(
        **asked, **span, Statistics=["Average", "Maximum"], ExtendedStatistics=["p99"]
    )
    assert len(answer["Datapoints"]) == 24
    for point in answer["Datapoints"]:
        assert point["Average"] < point["ExtendedStatistics"]["p99"] < point["Maximum"]
    assert refused(cloudwatch.get_metric_statistics, **asked, **span) == "InvalidParameterCombination"
    fine = {**span, "StartTime": NOW - 6 * DAY, "Period": 300}
    assert (
        refused(cloudwatch.get_metric_statistics, **asked, **fine, Statistics=["Sum"]) == "InvalidParameterCombination"
    )


def test_what_somebody_puts_into_a_namespace_of_their_own_comes_back_with_percentiles(cloudwatch):
    data = [{"MetricName": "lag", "Value": value, "Unit": "Seconds"} for value in (1.0, 2.0, 9.0)]
    cloudwatch.put_metric_data(Namespace="tap", MetricData=data)
    metric = {"Metric": {"Namespace": "tap", "MetricName": "lag"}, "Period": 60}
    queries = [
        {"Id": f"s{n}", "MetricStat": {**metric, "Stat": stat}} for n, stat in enumerate(["p50", "Sum", "Maximum"])
    ]
    answer = ask(cloudwatch, *queries, start=NOW - HOUR, end=NOW + HOUR)
    assert [each["Values"] for each in answer["MetricDataResults"]] == [[2.0], [12.0], [9.0]]


def test_nobody_puts_data_into_the_namespaces_of_aws(cloudwatch):
    data = [{"MetricName": "CPUUtilization", "Value": 1.0}]
    assert refused(cloudwatch.put_metric_data, Namespace="AWS/EC2", MetricData=data) == "InvalidParameterValue"


def test_the_metrics_follow_what_is_changed_in_the_account(account, cloudwatch):
    def mean(start, end):
        metric = {
            "Namespace": "AWS/EC2",
            "MetricName": "CPUUtilization",
            "Dimensions": [{"Name": "AutoScalingGroupName", "Value": "tap-fleet"}],
        }
        asked = {"Id": "a", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "SampleCount"}}
        return ask(cloudwatch, asked, start=start, end=end)["MetricDataResults"][0]["Values"]

    group = account.client("autoscaling", PRODUCTION, REGION)
    group.update_auto_scaling_group(AutoScalingGroupName="tap-fleet", DesiredCapacity=4)
    account.clock.advance_to(NOW + 4 * HOUR)
    assert mean(NOW - 2 * HOUR, NOW - HOUR) == [36.0]  # three instances, every five minutes
    assert mean(NOW + 2 * HOUR, NOW + 3 * HOUR) == [48.0]
