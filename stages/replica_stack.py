"""The stack of a replica Region."""

from __future__ import annotations

from typing import Any

from constructs import Construct

from domain.sizing import AuroraSizing
from stages.database import SecondaryDatabase
from stages.governed import mark_governed
from stages.keys import data_key, telemetry_key
from stages.network import Network
from stages.permission_boundary import bound
from stages.regional_stack import RegionalStack
from stages.telemetry import Alarms


class ReplicaStack(RegionalStack):
    """Presence in Region `number`: keys and network always, the database according to the sizing.

    Keys and network stay when the database is removed: final snapshots need the key, and a return
    needs the network.
    """

    def __init__(
        self, scope: Construct, id: str, *, number: int, sizing: AuroraSizing, notify: str, **kwargs: Any
    ) -> None:
        super().__init__(scope, id, **kwargs)
        database_key = data_key(
            self, "DatabaseKey", alias="tap/database", holds="the Aurora secondary and its snapshots"
        )
        log_key = telemetry_key(self, "TelemetryKey")
        network = Network(self, "Network", cidr=f"10.{number}.0.0/18", nat_gateways=1, log_key=log_key, subnet_mask=22)
        if number in sizing.secondaries:
            SecondaryDatabase(self, "Database", number=number, network=network, key=database_key, log_key=log_key)
            Alarms(self, "Alarms", key=log_key, notify=notify).watch_secondary()
        bound(self)
        mark_governed(self)
