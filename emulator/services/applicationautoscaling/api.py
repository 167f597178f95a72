"""Application Auto Scaling: ElastiCache's scalable targets, which moto does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.core.registry import Answer, emulates

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

_API = "https://docs.aws.amazon.com/autoscaling/application/APIReference"


@emulates(
    "application-autoscaling",
    "DescribeScalableTargets",
    rule="ElastiCache is a namespace of its own. Nothing can be registered in it here, so it has no targets.",
    source=f"{_API}/API_DescribeScalableTargets.html",
)
def describe_scalable_targets(_: Account, call: Call) -> Answer | None:
    return {"ScalableTargets": []} if call.parameters["ServiceNamespace"] == "elasticache" else None
