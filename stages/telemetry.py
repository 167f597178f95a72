"""Monitoring of the platform: alarms to a topic, and an operations dashboard."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from stages import metrics
from stages.balancer import Balancer
from stages.cache import Cache
from stages.governed import mark_part
from stages.tables import Tables

HEALTH_ALARMS = ("tap-error-rate", "tap-p99", "tap-unhealthy-hosts")
"""The alarms of `Alarms.watch_balancer`: the service as its users see it. An outage is an error rate of 100 %."""


class Alarms(Construct):
    """The encrypted topic `tap-alarms` and the alarms that notify it.

    The alarms have absolute limits and start the watch early; the rollback of a phase is judged from
    the same metrics against the service's own past.
    """

    def __init__(self, scope: Construct, id: str, *, key: kms.IKey, notify: str) -> None:
        super().__init__(scope, id)
        self.topic = sns.Topic(self, "Topic", topic_name="tap-alarms", master_key=key, enforce_ssl=True)
        self.topic.add_subscription(subscriptions.EmailSubscription(notify))
        self._allow_alarms()
        mark_part(self, "telemetry")

    def watch_balancer(self, balancer: Balancer, *, hosts: int) -> None:
        """Alarm on errors above 0.5 % for three minutes, p99 above 2 s for five, fewer than `hosts` healthy hosts.

        Not on unhealthy hosts: each booting instance is one, so every deployment of instances would alarm.
        """
        self._alarm("error-rate", metrics.error_rate(balancer, metrics.ONE_MINUTE), above=0.5, of=(3, 3))
        self._alarm("p99", metrics.p99(balancer, metrics.ONE_MINUTE), above=2.0, of=(5, 5))
        self._alarm("unhealthy-hosts", metrics.healthy_hosts(balancer), below=hosts, of=(3, 3))

    def watch_tables(self, tables: Tables) -> None:
        """Alarm on throttled requests, per table."""
        for name in tables.names:
            self._alarm(f"throttles-{name}", metrics.throttles(name), above=0, of=(2, 3))

    def watch_cache(self, cache: Cache) -> None:
        """Alarm on memory and evictions, per shard."""
        for shard in cache.shards:
            self._alarm(f"redis-memory-{shard}", metrics.cache_memory(cache, shard), above=80, of=(3, 3))
            self._alarm(f"redis-evictions-{shard}", metrics.cache_evictions(cache, shard), above=0, of=(2, 3))

    def watch_database(self) -> None:
        """Alarm on readers more than a second behind the writer."""
        self._alarm("replica-lag", metrics.replica_lag(), above=1000, of=(3, 3))

    def watch_secondary(self) -> None:
        """Alarm on a secondary more than five seconds behind the primary Region: a failover would lose that data."""
        self._alarm("global-lag", metrics.global_lag(), above=5000, of=(3, 3))

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        *,
        above: float = 0,
        below: float | None = None,
        of: tuple[int, int],
    ) -> None:
        """Alarm when `of[0]` of the last `of[1]` periods are above the limit, or below the lower one.

        Missing data is a breach if a high value is good: without any host no count of hosts is published.
        """
        compared, missing = cloudwatch.ComparisonOperator, cloudwatch.TreatMissingData
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"tap-{name}",
            metric=metric,
            threshold=above if below is None else below,
            comparison_operator=(compared.GREATER_THAN_THRESHOLD if below is None else compared.LESS_THAN_THRESHOLD),
            datapoints_to_alarm=of[0],
            evaluation_periods=of[1],
            treat_missing_data=missing.NOT_BREACHING if below is None else missing.BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))

    def _allow_alarms(self) -> None:
        """Let alarms of this account publish as the service CloudWatch."""
        account = cdk.Stack.of(self).account
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": account}},
            )
        )


class Operations(Construct):
    """The dashboard `tap-operations`: the first page for a person on call, from top to bottom."""

    def __init__(self, scope: Construct, id: str, *, balancer: Balancer, cache: Cache, tables: Tables) -> None:
        super().__init__(scope, id)
        dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name="tap-operations")
        dashboard.add_widgets(
            _graph("Requests", metrics.requests(balancer)),
            _graph("Errors, percent", metrics.error_rate(balancer)),
            _graph("p99, seconds", metrics.p99(balancer)),
        )
        dashboard.add_widgets(
            _graph("Unhealthy hosts", metrics.unhealthy_hosts(balancer)),
            _graph("Fleet CPU, percent", metrics.fleet_cpu()),
            _graph("Throttles", *(metrics.throttles(name) for name in tables.names)),
        )
        dashboard.add_widgets(
            _graph("Redis memory, percent", *(metrics.cache_memory(cache, shard) for shard in cache.shards)),
            _graph("Aurora CPU, percent", metrics.database("CPUUtilization", "Average")),
            _graph("Replica lag, milliseconds", metrics.replica_lag()),
        )
        mark_part(self, "telemetry")


def _graph(title: str, *left: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(left), width=8)
