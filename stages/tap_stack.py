"""The primary Region's stack."""

from __future__ import annotations

from math import ceil
from typing import Any

from constructs import Construct

from domain.environment import Environment
from domain.sizing import Sizing
from stages.balancer import Balancer
from stages.cache import Cache
from stages.canary import Visitor
from stages.database import Database
from stages.fleet import Fleet
from stages.governed import mark_governed
from stages.keys import Keys
from stages.network import Network
from stages.permission_boundary import bound, make_boundary
from stages.pointers import Pointers
from stages.regional_stack import RegionalStack
from stages.tables import Tables
from stages.telemetry import Alarms, Operations


class TapStack(RegionalStack):
    """The primary Region: the whole platform, sized by `sizing`."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment, sizing: Sizing, **kwargs: Any) -> None:
        super().__init__(scope, id, **kwargs)
        make_boundary(self, "Boundary")
        keys = self.keys = Keys(self, "Keys")
        network = Network(
            self, "Network", cidr="10.0.0.0/16", nat_gateways=len(environment.primary.zones), log_key=keys.telemetry
        )
        tables = Tables(self, "Tables", sizing=sizing.tables, keys=keys, replicas=environment.table_regions)
        cache = Cache(self, "Cache", sizing=sizing.cache, network=network, key=keys.cache, log_key=keys.telemetry)
        database = Database(
            self, "Database", sizing=sizing.aurora, network=network, key=keys.database, log_key=keys.telemetry
        )
        fleet = Fleet(
            self,
            "Fleet",
            sizing=sizing.fleet,
            network=network,
            image_id=environment.primary.image_id,
            log_key=keys.telemetry,
        )
        balancer = Balancer(self, "Balancer", network=network, fleet=fleet, certificate_arn=environment.certificate_arn)
        pointers = Pointers(self, "Pointers", tables=tables, cache=cache, database=database)
        # An invalid certificate or image fails the first creation before any resource holds data (ADR 22).
        for data in (*tables.by_name.values(), cache.group, database.global_cluster):
            data.node.add_dependency(fleet.group, balancer.load_balancer)

        tables.grant_read_write(fleet.rights)
        pointers.grant_read(fleet.rights)
        cache.allow_from(fleet)
        database.allow_from(fleet)

        alarms = Alarms(self, "Alarms", key=keys.telemetry, notify=environment.alarm_email)
        # Half of the fleet's minimum: valid also for the smaller fleet while this template still has the larger one.
        alarms.watch_balancer(balancer, hosts=ceil(sizing.fleet.minimum / 2))
        alarms.watch_tables(tables)
        alarms.watch_cache(cache)
        alarms.watch_database()
        Operations(self, "Operations", balancer=balancer, cache=cache, tables=tables)
        Visitor(
            self,
            "Visitor",
            domain=environment.domain,
            access_logs=balancer.access_logs,
            log_key=keys.telemetry,
        )
        bound(self)
        mark_governed(self)
