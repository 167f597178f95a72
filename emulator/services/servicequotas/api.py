"""Service Quotas: the one quota that the fleet's rollback depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

_API = "https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference"
_NAME = "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"
_CODE, _DEFAULT = "L-1216C47A", 5.0


@dataclass
class Quotas:
    """Granted quotas. The foundation's largest fleet has 400 vCPU: no account runs it on the default of 5.

    None: no increase was ever requested, and only AWS's default is in force.
    """

    standard_vcpus: float | None = 640.0


@emulates(
    "service-quotas",
    "GetServiceQuota",
    rule="The value in force in this Region; NoSuchResourceException if only AWS's default is in force.",
    source=f"{_API}/API_GetServiceQuota.html",
)
def get_service_quota(account: Account, call: Call) -> Answer:
    value = account.part(Quotas).standard_vcpus
    if value is None:
        raise AwsError("NoSuchResourceException", "The specified resource does not exist.", 400)
    return {"Quota": _quota(call, value)}


@emulates(
    "service-quotas",
    "GetAWSDefaultServiceQuota",
    rule="The quota of a new account: 5 vCPU of Standard instances.",
    source=f"{_API}/API_GetAWSDefaultServiceQuota.html",
)
def get_default_quota(_account: Account, call: Call) -> Answer:
    return {"Quota": _quota(call, _DEFAULT)}


def _quota(call: Call, value: float) -> dict[str, Any]:
    asked = call.parameters
    if (asked["ServiceCode"], asked["QuotaCode"]) != ("ec2", _CODE):
        raise NotImplementedError(f"the quota {asked['ServiceCode']} {asked['QuotaCode']} is not emulated")
    return {
        "ServiceCode": "ec2",
        "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
        "QuotaArn": f"arn:aws:servicequotas:{call.region}:{call.account}:ec2/{_CODE}",
        "QuotaCode": _CODE,
        "QuotaName": _NAME,
        "Value": value,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }
