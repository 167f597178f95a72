"""Metrics that CloudWatch lists: the agent's, under the dimensions that it publishes, and those that others put."""

from datetime import timedelta

import pytest

from emulator.account import EmulatedAccount
from emulator.workload.workload import Workload
from tests.rehearsal.life import NOW, QUIET, REGION, serve

TOOLING, PRODUCTION = "111111111111", "222222222222"
BORN, DAY = NOW - timedelta(days=70), timedelta(days=1)


@pytest.mark.parametrize("of_each", [False, True])
def test_what_the_agent_publishes_is_listed_with_what_others_put(of_each):
    spec = QUIET.model_copy(update={"memory_of_each_instance": of_each})
    with EmulatedAccount(start=BORN, tooling=TOOLING, production=PRODUCTION) as account:
        Workload(spec, account, 0, events=())
        serve(account, "tap-fleet", desired=3, maximum=4, user_data="dnf install amazon-cloudwatch-agent")
        account.clock.advance_to(NOW)
        cloudwatch = account.client("cloudwatch", PRODUCTION, REGION)
        datum = {"MetricName": "disk_used_percent", "Value": 1.0, "Timestamp": NOW}
        cloudwatch.put_metric_data(Namespace="CWAgent", MetricData=[datum])
        listed = cloudwatch.list_metrics(Namespace="CWAgent")["Metrics"]
        memory = [each["Dimensions"] for each in listed if each["MetricName"] == "mem_used_percent"]
        assert [each[0]["Name"] for each in memory] == (["InstanceId"] * 3 if of_each else ["AutoScalingGroupName"])
        assert len(listed) == len(memory) + 1
        assert not cloudwatch.list_metrics(Namespace="Other")["Metrics"]
        for dimensions in memory:
            metric = {"Namespace": "CWAgent", "MetricName": "mem_used_percent", "Dimensions": dimensions}
            query = {"Id": "used", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Maximum"}}
            (answer,) = cloudwatch.get_metric_data(MetricDataQueries=[query], StartTime=NOW - DAY, EndTime=NOW)[
                "MetricDataResults"
            ]
            assert len(answer["Values"]) > 200
