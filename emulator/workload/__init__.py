"""The metrics of the emulated account, computed from the workload and from what exists to carry it.

`table` finds a metric's source; `scene` holds what the sources share; each service has a module.
"""

from emulator.workload import cache, fleet, tables, tenants
from emulator.workload import database_instances as instances
from emulator.workload import database_volume as volume
from emulator.workload import load_balancer as balancer
from emulator.workload.metric_catalog import Signal, find, known

__all__ = ["Signal", "balancer", "cache", "find", "fleet", "instances", "known", "tables", "tenants", "volume"]
