"""CloudWatch's ListMetrics: the workload's metrics and those that were put."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from emulator.core.errors import AwsError
from emulator.core.registry import emulates
from emulator.services.cloudwatch.listed_metrics import workload_metrics

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

_PAGE, _OURS = 500, "workload/"  # metrics; the prefix of our own tokens


@emulates(
    "cloudwatch",
    "ListMetrics",
    rule="Metrics that had data in the past two weeks, by namespace, name and dimensions, in pages of 500",
    source="https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html",
)
def list_metrics(account: Account, call: Call) -> Mapping[str, Any]:
    """The workload's metrics first, then those that were put, from moto."""
    token = call.parameters.get("NextToken") or ""
    if token and not token.startswith(_OURS):
        return dict(call.forward())
    start = _place(token)
    ours = list(_matching(account, call))
    if start + _PAGE < len(ours):
        return {"Metrics": ours[start : start + _PAGE], "NextToken": f"{_OURS}{start + _PAGE}"}
    if start:
        return {"Metrics": ours[start:]}  # metrics that were put are on the first page of a call that fits on one
    put = dict(call.forward())
    return {**put, "Metrics": [*put["Metrics"], *ours]}


def _place(token: str) -> int:
    place = token.removeprefix(_OURS)
    if token and not place.isdigit():
        raise AwsError("InvalidParameterValue", "The value for parameter NextToken is invalid.")
    return int(place or 0)


def _matching(account: Account, call: Call) -> Iterator[Mapping[str, Any]]:
    asked = call.parameters
    wanted = asked.get("Dimensions") or ()
    for metric in workload_metrics(account, (call.account, call.region), asked.get("Namespace")):
        if asked.get("MetricName") not in (None, metric["MetricName"]):
            continue
        held = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
        if all(each["Name"] in held and each.get("Value") in (None, held[each["Name"]]) for each in wanted):
            yield metric
