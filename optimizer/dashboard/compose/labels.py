"""Names that a person reads for the kinds of resources, parts of the platform, and metrics."""

from __future__ import annotations

from optimizer.resources.registry import resource_kinds

PARTS = {
    "fleet": "EC2 fleet",
    "cache": "Redis",
    "database": "Aurora",
    "tables": "DynamoDB",
    "network": "Network",
    "keys": "Keys",
}
# The metric that tells best how hard a service works, most telling first, with its unit.
TELLING = {
    "AWS/ApplicationELB": ("Load balancer", {"RequestCount": "requests an hour"}),
    "AWS/EC2": ("EC2 fleet", {"CPUUtilization": "% CPU", "NetworkOut": "bytes"}),
    "AWS/ElastiCache": (
        "Redis",
        {"EngineCPUUtilization": "% CPU", "CPUUtilization": "% CPU", "DatabaseMemoryUsagePercentage": "% memory"},
    ),
    "AWS/RDS": (
        "Aurora",
        {"CPUUtilization": "% CPU", "DatabaseConnections": "connections"},
    ),
    "AWS/DynamoDB": (
        "DynamoDB",
        {
            "ConsumedReadCapacityUnits": "read units an hour",
            "ConsumedWriteCapacityUnits": "write units an hour",
            "SuccessfulRequestLatency": "requests an hour",
        },
    ),
}


def kind_of(arn: str) -> str:
    """The kind of a resource in a person's words, by its ARN."""
    parts = arn.split(":")
    if len(parts) < 6 or parts[0] != "arn":
        return "Resource"
    begins = parts[2], parts[5].split("/")[0]
    return next((each.words for each in resource_kinds().values() if each.arn == begins), "Resource")
