"""Instances that fail the load balancer's health checks: their group terminates them and launches others.

The remaining instances take over the requests, and may fail in turn: a fleet that is too small is destroyed by its
own health check.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.autoscaling.models import autoscaling_backends

from emulator.services.autoscaling.activities import Activities
from emulator.services.autoscaling.groups import FleetInstance, retire, settle, suspended
from emulator.services.autoscaling.instance_refresh import Refreshes
from emulator.workload.workload import Sources

if TYPE_CHECKING:
    from emulator.core.port import Account

EVERY = timedelta(minutes=1)  # a group checks its instances this often and takes out one at a time: our model


@dataclass
class Checks:
    """Whether the periodic checks are running."""

    running: bool = False


def check_instances(account: Account) -> None:
    """Check all instances each minute, while the scenario lets some fail."""
    if not account.part(Checks).running:
        account.part(Checks).running = True
        account.schedule(account.clock.now() + EVERY, lambda: _check(account))


def _check(account: Account) -> bool:
    """Check all groups once. False when nothing changed."""
    now, workload = account.clock.now(), account.part(Sources).workload
    if workload is None or not workload.may_turn_unhealthy(now):
        account.part(Checks).running = False
        return False
    limit = workload.unhealthy_above(now)
    failed = [
        (group, instance)
        for region, group in _checked(account)
        if limit is not None and workload.fleet_cpu(region, now) > limit
        for instance in _oldest(group, now)
    ]
    for group, instance in failed:
        account.part(Activities).taken_out(account, group, instance.instance_id)
        retire(account, group, [instance])
        settle(account, group, account.part(Refreshes).template(group))
    account.schedule(now + EVERY, lambda: _check(account))
    return bool(failed)


def _checked(account: Account) -> Iterator[tuple[str, Any]]:
    """The groups that use the load balancer's health checks, with their Regions."""
    for region in list(autoscaling_backends[account.production]):
        for group in autoscaling_backends[account.production][region].autoscaling_groups.values():
            if "ELB" in group.health_check_type and not suspended(group, "HealthCheck", "ReplaceUnhealthy"):
                yield region, group


def _oldest(group: Any, now: datetime) -> list[FleetInstance]:
    """The instance longest in service, if it is past its grace period; else none."""
    grace = timedelta(seconds=group.health_check_grace_period or 0)
    serving = [each for each in group.instance_states if each.lifecycle_state == "InService"]
    return [each for each in serving if each.serves_since is None or now - each.serves_since >= grace][:1]
