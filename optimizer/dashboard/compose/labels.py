"""What a person calls the kinds of resources, parts of the platform, and metrics."""

from __future__ import annotations

from optimizer.model.resource import Kind

KINDS = {
    Kind.TABLE: "DynamoDB table",
    Kind.FLEET: "Auto Scaling group",
    Kind.LOAD_BALANCER: "Load balancer",
    Kind.CACHE: "Redis replication group",
    Kind.DATABASE: "Aurora cluster",
    Kind.DATABASE_INSTANCE: "Aurora instance",
    Kind.GLOBAL_DATABASE: "Aurora global database",
}
# By how an ARN begins after the account (Service Authorization Reference).
_BY_ARN = {
    ("dynamodb", "table"): Kind.TABLE,
    ("autoscaling", "autoScalingGroup"): Kind.FLEET,
    ("elasticloadbalancing", "loadbalancer"): Kind.LOAD_BALANCER,
    ("elasticache", "replicationgroup"): Kind.CACHE,
    ("rds", "cluster"): Kind.DATABASE,
    ("rds", "db"): Kind.DATABASE_INSTANCE,
    ("rds", "global-cluster"): Kind.GLOBAL_DATABASE,
}
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
    kind = _BY_ARN.get((parts[2], parts[5].split("/")[0]))
    return KINDS[kind] if kind else "Resource"
