"""CloudWatch: which metrics there are. Of the workload's, those that no reader can know by name: the agent's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from emulator.core.registry import emulates
from emulator.services.cloudwatch.published_metrics import samples_of
from emulator.workload.workload import MetricRequest, Sources

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

_LISTED = timedelta(weeks=2)
_AGENT, _MEMORY = "CWAgent", "mem_used_percent"


@emulates(
    "cloudwatch",
    "ListMetrics",
    rule="Metrics that had data in the past two weeks, the CloudWatch agent's among them, under the dimensions that it "
    "publishes",
    source="https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html",
)
def list_metrics(account: Account, call: Call) -> Mapping[str, Any]:
    shown = dict(call.forward())
    if call.parameters.get("Namespace") == _AGENT and not call.parameters.get("NextToken"):
        shown["Metrics"] = [*shown["Metrics"], *_of_the_agent(account, (call.account, call.region))]
    return shown


def _of_the_agent(account: Account, place: tuple[str, str]) -> Iterator[Mapping[str, Any]]:
    workload, now = account.part(Sources).workload, account.clock.now()
    if workload is None:
        return
    regions = [held[place[1]] for _, held in workload.timeline if place[1] in held]
    names = {("AutoScalingGroupName", name) for region in regions for name in region.fleets}
    names |= {("InstanceId", id) for region in regions for fleet in region.fleets.values() for id, _ in fleet.instances}
    span = MetricRequest(int((now - _LISTED).timestamp()), int(now.timestamp()), 3_600)
    for name, value in sorted(names):
        metric = {
            "Namespace": _AGENT,
            "MetricName": _MEMORY,
            "Dimensions": [{"Name": name, "Value": value}],
        }
        samples = samples_of(account, place, metric, None, span, now)
        if samples is not None and len(samples.statistic("SampleCount")[0]):
            yield metric
