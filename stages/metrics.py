"""The metrics that alarms and the operations dashboard share, from one definition."""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from stages.balancer import Balancer
from stages.cache import NAME as CACHE
from stages.cache import Cache
from stages.database import NAME as DATABASE
from stages.fleet import NAME as FLEET

FIVE_MINUTES, ONE_MINUTE = cdk.Duration.minutes(5), cdk.Duration.minutes(1)


def error_rate(balancer: Balancer, period: cdk.Duration = FIVE_MINUTES) -> cloudwatch.MathExpression:
    """Percent of requests that ended in 5xx, the load balancer's own among them.

    RequestCount counts only requests that reached a target, and 5xx are published only when there
    are some: without the fills a total outage would have no error rate at all.
    """
    return cloudwatch.MathExpression(
        label="5xx, percent",
        expression="100 * (FILL(target, 0) + FILL(elb, 0)) / (FILL(requests, 0) + FILL(elb, 0))",
        using_metrics={
            "target": _balancer(balancer, "HTTPCode_Target_5XX_Count", "Sum"),
            "elb": _balancer(balancer, "HTTPCode_ELB_5XX_Count", "Sum"),
            "requests": requests(balancer),
        },
        period=period,
    )


def requests(balancer: Balancer) -> cloudwatch.Metric:
    """Requests that reached a target, per five minutes."""
    return _balancer(balancer, "RequestCount", "Sum")


def p99(balancer: Balancer, period: cdk.Duration = FIVE_MINUTES) -> cloudwatch.Metric:
    """The 99th percentile of the targets' response time, in seconds."""
    return _balancer(balancer, "TargetResponseTime", "p99").with_(period=period)


def unhealthy_hosts(balancer: Balancer) -> cloudwatch.MathExpression:
    """Unhealthy instances in the worst of the target groups."""
    return _over(
        "MAX",
        "Unhealthy hosts",
        {
            name: _metric(
                "AWS/ApplicationELB",
                "UnHealthyHostCount",
                "Maximum",
                LoadBalancer=balancer.load_balancer.load_balancer_full_name,
                TargetGroup=group.target_group_full_name,
            )
            for name, group in balancer.target_groups.items()
        },
    )


def healthy_hosts(balancer: Balancer) -> cloudwatch.MathExpression:
    """Healthy instances in the worst of the target groups, each minute. A group without targets publishes nothing."""
    groups = {
        f"healthy_{name}": _metric(
            "AWS/ApplicationELB",
            "HealthyHostCount",
            "Minimum",
            LoadBalancer=balancer.load_balancer.load_balancer_full_name,
            TargetGroup=group.target_group_full_name,
        )
        for name, group in balancer.target_groups.items()
    }
    return cloudwatch.MathExpression(
        label="Healthy hosts", expression=f"MIN([{', '.join(groups)}])", using_metrics=dict(groups), period=ONE_MINUTE
    )


def cache_memory(cache: Cache, shard: str) -> cloudwatch.MathExpression:
    """Memory in use, percent, on the fullest node of one shard."""
    return _over(
        "MAX", f"Memory of shard {shard}, percent", _nodes(cache, shard, "DatabaseMemoryUsagePercentage", "Maximum")
    )


def cache_evictions(cache: Cache, shard: str) -> cloudwatch.MathExpression:
    """Keys evicted on one shard, in five minutes."""
    return _over("SUM", f"Evictions of shard {shard}", _nodes(cache, shard, "Evictions", "Sum"))


def replica_lag() -> cloudwatch.Metric:
    """Lag of the slowest reader behind the writer, in milliseconds."""
    return database("AuroraReplicaLagMaximum", "Maximum")


def global_lag() -> cloudwatch.MathExpression:
    """Lag of this Region's secondary behind the primary Region, in milliseconds.

    A query, because the metric is published by source Region as well as by cluster (Aurora user
    guide, "Cluster-level metrics"), and there is one global database here.
    """
    return cloudwatch.MathExpression(
        label="Behind the primary Region, milliseconds",
        expression='SELECT MAX(AuroraGlobalDBReplicationLag) FROM "AWS/RDS"',
        using_metrics={},
        period=FIVE_MINUTES,
    )


def database(name: str, statistic: str) -> cloudwatch.Metric:
    """A metric of the primary cluster."""
    return _metric("AWS/RDS", name, statistic, DBClusterIdentifier=DATABASE)


def fleet_cpu() -> cloudwatch.Metric:
    """The fleet's average CPU, in percent."""
    return _metric("AWS/EC2", "CPUUtilization", "Average", AutoScalingGroupName=FLEET)


def throttles(table: str) -> cloudwatch.MathExpression:
    """Throttled reads and writes of one table, in five minutes."""
    return _over(
        "SUM",
        f"Throttles of {table}",
        {
            f"{table}_reads": _metric("AWS/DynamoDB", "ReadThrottleEvents", "Sum", TableName=table),
            f"{table}_writes": _metric("AWS/DynamoDB", "WriteThrottleEvents", "Sum", TableName=table),
        },
    )


def _nodes(cache: Cache, shard: str, name: str, statistic: str) -> dict[str, cloudwatch.IMetric]:
    """One metric per node of a shard: ElastiCache names them GROUP-SHARD-NNN."""
    return {
        f"shard{shard}_{number}": _metric(
            "AWS/ElastiCache", name, statistic, CacheClusterId=f"{CACHE}-{shard}-{number:03}"
        )
        for number in range(1, cache.nodes_per_shard + 1)
    }


def _over(function: str, label: str, metrics: Mapping[str, cloudwatch.IMetric]) -> cloudwatch.MathExpression:
    """MAX or SUM over several metrics; a metric without data counts as zero."""
    terms = ", ".join(f"FILL({name}, 0)" for name in metrics)
    return cloudwatch.MathExpression(
        label=label, expression=f"{function}([{terms}])", using_metrics=dict(metrics), period=FIVE_MINUTES
    )


def _balancer(balancer: Balancer, name: str, statistic: str) -> cloudwatch.Metric:
    full_name = balancer.load_balancer.load_balancer_full_name
    return _metric("AWS/ApplicationELB", name, statistic, LoadBalancer=full_name)


def _metric(namespace: str, name: str, statistic: str, **dimensions: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace, metric_name=name, statistic=statistic, dimensions_map=dimensions, period=FIVE_MINUTES
    )
