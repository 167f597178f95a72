"""Every number and shape the optimizer may change, as one typed value.

`Sizing` names identities, not counts: the Aurora instances that exist, the Regions present, the
indexes, the shards. Synthesis reads it from a file that Build fetched from the journal, so the
templates and the account keep agreeing after the optimizer changed something. This module imports
neither aws_cdk nor boto3: the stages and the optimizer share it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError, field_validator, model_validator

from domain.indexes import INDEXES, MERGED, merged_indexes

# Aurora's minimum: the primary has point-in-time recovery, and a secondary is restored from it.
SECONDARY_BACKUP_DAYS = 1
# Not part of a sizing: no action changes the class of a secondary, or an instance's disk.
SECONDARY_CLASS = "db.r6g.4xlarge"
FLEET_VOLUME_GB = 50


class _Value(BaseModel):
    """A frozen value that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FleetSizing(_Value):
    """The Auto Scaling group. Capacities count instances; `scale_in` lets target tracking shrink it."""

    instance_type: str
    minimum: PositiveInt
    desired: PositiveInt
    maximum: PositiveInt
    scale_in: bool

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.minimum <= self.desired <= self.maximum:
            raise ValueError(f"minimum {self.minimum}, desired {self.desired}, maximum {self.maximum} are out of order")
        return self


class TableSizing(_Value):
    """One DynamoDB table: the indexes that exist, by name, and whether its stream is on."""

    indexes: tuple[str, ...]
    stream: bool


class CacheSizing(_Value):
    """The Redis replication group: its shards by node group id, and replicas per shard."""

    node_type: str
    shards: tuple[str, ...]
    replicas_per_shard: PositiveInt


class AuroraInstance(_Value):
    """One Aurora instance of the primary cluster, named by identity: its role moves with a failover."""

    id: str
    instance_class: str
    promotion_tier: int


class AuroraSizing(_Value):
    """The Aurora Global Database: primary instances, secondary Regions by number, backup days."""

    instances: tuple[AuroraInstance, ...]
    secondaries: tuple[int, ...]
    backup_retention_days: PositiveInt


class Sizing(_Value):
    """The shape of the whole foundation. `Sizing.AS_DESIGNED` is the brief's, for 10k tenants in three Regions."""

    AS_DESIGNED: ClassVar[Sizing]

    fleet: FleetSizing
    tables: Mapping[str, TableSizing]
    cache: CacheSizing
    aurora: AuroraSizing

    @classmethod
    def designed(cls, replicas: int) -> Sizing:
        """The design with this number of replica Regions: an Aurora secondary in each, counted from 2."""
        aurora = cls.AS_DESIGNED.aurora.model_copy(update={"secondaries": tuple(range(2, 2 + replicas))})
        return cls.AS_DESIGNED.model_copy(update={"aurora": aurora})

    @field_validator("tables")
    @classmethod
    def _known(cls, tables: Mapping[str, TableSizing]) -> Mapping[str, TableSizing]:
        for name, table in tables.items():
            if name not in INDEXES:
                raise ValueError(f"{name} is no table of the platform")
            if unknown := sorted(set(table.indexes) - INDEXES[name].keys()):
                raise ValueError(f"{name} has no index {', '.join(unknown)}")
        return tables

    def consolidated(self, kept: Collection[str], *, stream: bool = True) -> Self:
        """The sizing with the merged table and its sources' `kept` indexes; with a stream if changes were followed.

        The sources stay unchanged: they are retained, and only a person deletes them (docs/adr).
        """
        merged = TableSizing(indexes=merged_indexes(kept), stream=stream)
        return self.model_copy(update={"tables": {**self.tables, MERGED: merged}})


class SizingRecord(_Value):
    """The Sizing in force. Revision 0 is the design; each acceptance adds one."""

    revision: int
    sizing: Sizing


class UnreadableSizing(ValueError):
    """The sizing file exists and is invalid: synthesis without it would undo the optimizer's changes."""


Sizing.AS_DESIGNED = Sizing(
    fleet=FleetSizing(instance_type="m5.4xlarge", minimum=12, desired=15, maximum=25, scale_in=False),
    tables={
        "tenants": TableSizing(indexes=("by-domain", "by-plan", "by-status", "by-region"), stream=True),
        "users": TableSizing(indexes=("by-email", "by-role", "by-last-login", "by-invitation"), stream=True),
        "audit_logs": TableSizing(indexes=("by-actor", "by-action", "by-resource", "by-day"), stream=True),
    },
    cache=CacheSizing(node_type="cache.r6g.4xlarge", shards=("0001", "0002", "0003", "0004"), replicas_per_shard=2),
    aurora=AuroraSizing(
        instances=(
            AuroraInstance(id="tap-database-1", instance_class="db.r6g.4xlarge", promotion_tier=1),
            AuroraInstance(id="tap-database-2", instance_class="db.r6g.4xlarge", promotion_tier=1),
            AuroraInstance(id="tap-database-3", instance_class="db.r6g.4xlarge", promotion_tier=2),
        ),
        secondaries=(2, 3),
        backup_retention_days=30,
    ),
)


def read_sizing(path: Path, design: Sizing = Sizing.AS_DESIGNED) -> SizingRecord:
    """The record in `path`; the design if there is no such file (nothing was ever accepted).

    Raises UnreadableSizing if the file exists and is not a sizing record.
    """
    if not path.exists():
        return SizingRecord(revision=0, sizing=design)
    try:
        return SizingRecord.model_validate_json(path.read_text())
    except ValidationError as error:
        raise _unreadable(path, _first_problem(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error.__class__.__name__) from error


def _unreadable(path: Path, problem: str) -> UnreadableSizing:
    return UnreadableSizing(
        f"{path} is not a sizing record ({problem}). Fetch it again: python -m optimizer sizing --out {path}"
    )


def _first_problem(error: ValidationError) -> str:
    """The first finding as `field: what is wrong`, and how many more there are."""
    first, *more = error.errors()
    field = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return (f"{field}: " if field else "") + message + (f", and {len(more)} more" if more else "")
