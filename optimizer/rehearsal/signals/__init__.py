"""The metrics of the emulated account, computed from the workload and from what exists to carry it.

`table` finds a metric's source; `scene` holds what the sources share; each service has a module.
"""

from optimizer.rehearsal.signals import balancer, cache, fleet, instances, tables, tenants, volume
from optimizer.rehearsal.signals.table import Signal, find, known

__all__ = ["Signal", "balancer", "cache", "find", "fleet", "instances", "known", "tables", "tenants", "volume"]
