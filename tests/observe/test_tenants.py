"""The application's declarations about its tenants, read back from the account; no data stays no data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from domain.names import DECLARATION, NAMESPACE
from emulator.account import EmulatedAccount
from optimizer.observe.tenants import Figures, tenants_now, tier_uses, tiers_of
from optimizer.ports.aws import Aws

NOW = datetime(2027, 3, 10, 12, tzinfo=UTC)
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
CHANGED = NOW - timedelta(days=2)


@pytest.fixture
def aws() -> Iterator[Aws]:
    with EmulatedAccount(start=NOW, tooling="111111111111", production="222222222222") as account:
        session = account.session("222222222222", "us-east-1")
        yield Aws(session, "222222222222", "us-east-1", account.clock)


def declare(aws: Aws, names: str) -> None:
    aws.ssm.put_parameter(Name=DECLARATION, Value=names, Type="String")


def publish(aws: Aws, at: datetime, tier: str, **values: float) -> None:
    """One value of each metric, at one moment."""
    aws.metrics.put_metric_data(
        Namespace=NAMESPACE,
        MetricData=[
            {"MetricName": name, "Dimensions": [{"Name": "Tier", "Value": tier}], "Timestamp": at, "Value": value}
            for name, value in values.items()
        ],
    )


def test_tiers_are_what_the_application_names(aws: Aws) -> None:
    assert tiers_of(aws) == ()
    declare(aws, " enterprise, starter ,")
    assert tiers_of(aws) == ("enterprise", "starter")


def test_tenants_are_added_over_the_tiers_that_say_how_many(aws: Aws) -> None:
    assert tenants_now(aws) is None
    declare(aws, "enterprise,starter,silent")
    assert tenants_now(aws) is None
    publish(aws, NOW - 2 * HOUR, "enterprise", Tenants=90.0)
    publish(aws, NOW - HOUR, "enterprise", Tenants=100.0)
    publish(aws, NOW - HOUR, "starter", Tenants=1750.0)
    assert tenants_now(aws) == 1850


def test_a_window_is_compared_with_the_same_hours_of_the_week(aws: Aws) -> None:
    declare(aws, "starter,silent")
    publish(aws, NOW - HOUR, "starter", Requests=1000.0, Errors=5.0, Latency=0.2, Tenants=7.0)
    for weeks in (1, 2):
        publish(aws, NOW - HOUR - weeks * WEEK, "starter", Requests=800.0, Errors=0.0, Latency=0.1)
        publish(aws, NOW - 5 * HOUR - weeks * WEEK, "starter", Requests=9e9, Errors=9e9, Latency=9.0)
    starter, silent = tier_uses(aws, NOW - 3 * HOUR, NOW, CHANGED)
    assert (starter.tier, starter.tenants) == ("starter", 7)
    assert starter.after == Figures(requests=1000.0, error_rate=0.005, p99_ms=pytest.approx(200.0))
    assert starter.before == Figures(requests=800.0, error_rate=0.0, p99_ms=pytest.approx(100.0))
    assert (silent.tenants, silent.before, silent.after) == (None, *[Figures(None, None, None)] * 2)
