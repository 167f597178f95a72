"""Parameter Store: the user of each parameter version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

API = "https://docs.aws.amazon.com/systems-manager/latest/APIReference"

Version = tuple[str, str, str, int]  # account, Region, name, version


@dataclass
class Setters:
    """The user who put each version of a parameter."""

    by_version: dict[Version, str] = field(default_factory=dict)


@emulates(
    "ssm",
    "PutParameter",
    rule="Each version records the user who put it",
    source=f"{API}/API_PutParameter.html",
)
def put_parameter(account: Account, call: Call) -> Answer:
    answer = call.forward()
    version = (call.account, call.region, str(call.parameters["Name"]), int(answer["Version"]))
    account.part(Setters).by_version[version] = account.caller_arn(call)
    return answer


@emulates(
    "ssm",
    "GetParameterHistory",
    rule="LastModifiedUser of each version is the user who put it",
    source=f"{API}/API_ParameterHistory.html",
)
def get_parameter_history(account: Account, call: Call) -> Answer:
    setters = account.part(Setters).by_version
    name = str(call.parameters["Name"])

    def with_setter(each: dict[str, Any]) -> dict[str, Any]:
        who = setters.get((call.account, call.region, name, int(each["Version"])))
        return {**each, "LastModifiedUser": who} if who else each

    answer = call.forward()
    return {**answer, "Parameters": [with_setter(each) for each in answer["Parameters"]]}


@emulates(
    "ssm",
    "GetServiceSetting",
    rule="The account's setting, at AWS's default: higher throughput is off",
    source=f"{API}/API_GetServiceSetting.html",
)
def get_service_setting(_account: Account, call: Call) -> Answer:
    name = str(call.parameters["SettingId"])
    if not name.endswith("/ssm/parameter-store/high-throughput-enabled"):
        raise AwsError("ServiceSettingNotFound", f"Setting {name} was not found.")
    return {"ServiceSetting": {"SettingId": name, "SettingValue": "false", "Status": "Default"}}
