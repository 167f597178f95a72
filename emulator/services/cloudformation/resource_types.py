"""Every CloudFormation type that the loader can make. Other types are left out, counted and printed."""

from __future__ import annotations

from collections.abc import Mapping

from emulator.core.resource_type import ResourceType
from emulator.services.autoscaling import resources as fleet
from emulator.services.cloudwatch import resources as telemetry
from emulator.services.dynamodb import resources as tables
from emulator.services.ec2 import resources as network
from emulator.services.elasticache import resources as cache
from emulator.services.elasticloadbalancing import resources as balancer
from emulator.services.iam import resources as roles
from emulator.services.kms import resources as keys
from emulator.services.rds import resources as database
from emulator.services.s3 import resources as storage

TYPES: Mapping[str, ResourceType] = {
    **network.TYPES,
    **keys.TYPES,
    **roles.TYPES,
    **fleet.TYPES,
    **balancer.TYPES,
    **tables.TYPES,
    **cache.TYPES,
    **database.TYPES,
    **storage.TYPES,
    **telemetry.TYPES,
}
