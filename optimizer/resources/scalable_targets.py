"""The targets that Application Auto Scaling changes by itself."""

from __future__ import annotations

from typing import Any

from optimizer.ports.aws import RETRIES, Aws


def scalable_targets(aws: Aws, service: str, resource: str) -> list[dict[str, Any]]:
    """The scaled dimensions of a resource, with their bounds; nothing where nobody registered it."""
    scaling = aws.session.client("application-autoscaling", region_name=aws.region, config=RETRIES)
    answer = scaling.describe_scalable_targets(ServiceNamespace=service, ResourceIds=[resource])
    targets: list[dict[str, Any]] = answer["ScalableTargets"]
    return targets
