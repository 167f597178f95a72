"""The numbers that decide: the brief's thresholds, the guards on top of them, and the caps.

The brief's thresholds come first. Guards come from the arithmetic of what each change really
does (docs/policy.md); a guard can only say no, and is lifted only by naming it in `lifted`, which
is recorded with the plan.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from domain.sizing import CacheSizing, FleetSizing

TARGET_FLEET = FleetSizing(instance_type="m5.2xlarge", minimum=6, desired=8, maximum=15, scale_in=True)
TARGET_CACHE = CacheSizing(node_type="cache.r6g.xlarge", shards=("0001", "0002"), replicas_per_shard=1)


@dataclass(frozen=True)
class FleetPolicy:
    """When and to what the Auto Scaling group is made smaller. Percentages, 0 to 100."""

    target: FleetSizing = TARGET_FLEET  # the brief: type and count; the bounds are ours
    cpu_p95: float = 20.0  # ours: p95 CPU over 60 days, which the brief asks for without a limit
    network_p95: float = 60.0  # ours: p95 network, percent of today's baseline; the brief names no limit
    # guard: p95 CPU after the change with one of three zones lost. Not 60 as for the writer: there the fleet's queue
    # lengthens p99 by a tenth in the busiest hour; with the writer's on top of it the brief's 20 % are spent.
    cpu_after: float = 55.0
    network_after: float = 60.0  # guard: p95 network, percent of the target type's baseline
    ebs_after: float = 60.0  # guard: p95 EBS throughput and operations, percent of the target type's baseline
    memory_after: float = 80.0  # guard: p95 memory of the fullest instance, percent of the target type's
    # Ours: the brief asks for CPU and network alone. True: a fleet whose memory nobody publishes stays as it is.
    memory_required: bool = False
    # Ours: hold the old instances' capacity by On-Demand Capacity Reservations until the phase ends, at their price.
    reserve_way_back: bool = False
    coverage: float = 95.0  # guard: percent of the period with datapoints


@dataclass(frozen=True)
class CachePolicy:
    """When and to what the Redis replication group is made smaller. Percentages, 0 to 100.

    The brief's memory threshold admits four times what fits: the guards on bytes are what counts.
    """

    target: CacheSizing = TARGET_CACHE  # the brief
    cpu: float = 30.0  # the brief: p95 CPU of the busiest node
    memory: float = 50.0  # the brief: memory of the fullest node
    commands_per_second: float = 10_000.0  # the brief: all nodes together
    reserved_memory: float = 25.0  # AWS: reserved-memory-percent of the parameter group
    fill_after: float = 80.0  # guard: percent of the target's usable memory, growth included
    free_over_removed: float = 1.5  # guard: free on the kept shards for each byte on the removed
    engine_cpu_after: float = 60.0  # guard: p95 of the one thread that executes commands
    connections_after: float = 60.0  # guard: percent of maxclients
    network_after: float = 60.0  # guard: p95 of the busiest node, percent of the target type's baseline
    coverage: float = 95.0  # guard: percent of the period with datapoints


# Guard: p95 CPU of the writer, in percent. A database that carries its design's load keeps what was designed
# to protect it: the other Regions.
DESIGN_LOAD = 30.0


@dataclass(frozen=True)
class PresencePolicy:
    """When the Aurora secondaries in other Regions go."""

    # Ours: without them the loss of the primary Region loses data and takes hours. False keeps them whatever the load.
    recovery_loss_accepted: bool = True
    connections: float = 0.0  # ours: in every hour of the period; the brief asks that nobody uses them
    lag_ms: float = 1000.0  # guard: a secondary that does not keep up hides something
    design_load: float = DESIGN_LOAD
    coverage: float = 95.0  # guard: percent of the period with datapoints


@dataclass(frozen=True)
class WriterPolicy:
    """When and to what the Aurora writer is made smaller. Percentages, 0 to 100."""

    target_class: str = "db.r6g.xlarge"  # the brief
    cpu_after: float = 60.0  # guard: p95 CPU, of the writer and of the reader it becomes
    connections_after: float = 60.0  # guard: percent of the target's max_connections
    network_after: float = 60.0  # guard: p95 to clients and storage together, percent of the target's baseline
    freeable_memory: float = 5.0  # guard: percent of memory that was always free
    swap_growth_mib: float = 64.0  # guard: swap that grows tells of memory that is missing already
    coverage: float = 95.0  # guard: percent of the period with datapoints


@dataclass(frozen=True)
class ReadersPolicy:
    """When Aurora goes down to one reader. Percentages, 0 to 100."""

    keep: int = 1  # the brief
    lag_ms: float = 100.0  # the brief: replica lag
    reads_of_writes: float = 20.0  # the brief: read IOPS in percent of write IOPS
    # guard: p95 CPU of the readers together, on the one that remains. Not 60 as elsewhere: behind a single reader the
    # slowest requests queue, and in the peak hour its queue alone would lengthen p99 by the brief's 20 %.
    cpu_after: float = 50.0
    connections_after: float = 60.0  # guard: percent of its max_connections
    coverage: float = 95.0  # guard: percent of the period with datapoints


@dataclass(frozen=True)
class BackupPolicy:
    """Aurora's automated backups: cut without a condition, unless they are held or owned by somebody else."""

    retention_days: int = 14  # the brief


@dataclass(frozen=True)
class IndexPolicy:
    """When a secondary index counts as unused."""

    queries_per_week: int = 50  # the brief: fewer than this, here in every single week
    weeks: int = 8  # ours: whole weeks that must be proven, up to now
    look_back: timedelta = timedelta(days=400)  # guard: quarter-end and year-end jobs; CloudWatch keeps hours 455 days


@dataclass(frozen=True)
class StreamPolicy:
    """When a table's stream counts as unread."""

    unread: timedelta = timedelta(days=14)  # guard: no GetRecords by anybody for so long


@dataclass(frozen=True)
class ConsolidationPolicy:
    """The conditions for two tables to share one."""

    indexes: int = 20  # AWS, quota: global secondary indexes of one table
    writes_per_second: float = 1000.0  # AWS: of one partition (DynamoDB, "Best practices for partition keys")
    reads_per_second: float = 3000.0  # AWS: of one partition, as above
    # Ours: percent of both tables' bill that one table may cost more from month to month.
    recurring_share: float = 5.0


@dataclass(frozen=True)
class CalendarPolicy:
    """When a phase may begin: only when its window ends before the next weekend or announced peak."""

    zone: str = "UTC"  # ours: in which days begin and end
    weekend: tuple[int, ...] = (5, 6)  # ours: days on which nobody is there, Monday is 0; none: every day is open
    applying: timedelta = timedelta(hours=8)  # ours: what a phase may take before its window opens


@dataclass(frozen=True)
class CopyPolicy:
    """Limits and assumed speeds of the copy. Assumed speeds hold until a copy has measured real ones."""

    # Ours: both tables; what is larger, or takes longer than `applying`, is copied by Spark.
    one_process_gib: float = 50.0
    units_per_second: float = 2_000.0  # ours: write units: half of what a new on-demand table is known to take
    items_per_second: float = 1_500.0  # ours: of one process, assumed; its progress tells the real figure
    compared_per_second: float = 1_500.0  # ours: items of both tables against the merged one, by one process; assumed
    # Ours: of refused writes, for comparing all; above it streams are followed.
    longest_pause: timedelta = timedelta(minutes=2)
    spark_workers: int = 10  # ours: of type G.1X, one DPU each
    spark_gib_per_worker_hour: float = 10.0  # ours: assumed
    managed_gib_per_hour: float = 100.0  # ours: DynamoDB's export and its import, each; assumed
    managed_least: timedelta = timedelta(minutes=30)  # ours: for either, however small; assumed


@dataclass(frozen=True)
class Policy:
    """Everything configurable about deciding and executing."""

    period: timedelta = timedelta(days=60)  # the brief
    window: timedelta = timedelta(hours=48)  # the brief
    baseline: timedelta = timedelta(days=28)  # ours: four weeks of the service before the plan
    indexes: IndexPolicy = IndexPolicy()
    streams: StreamPolicy = StreamPolicy()
    consolidation: ConsolidationPolicy = ConsolidationPolicy()
    copying: CopyPolicy = CopyPolicy()
    fleet: FleetPolicy = FleetPolicy()
    cache: CachePolicy = CachePolicy()
    presence: PresencePolicy = PresencePolicy()
    writer: WriterPolicy = WriterPolicy()
    readers: ReadersPolicy = ReadersPolicy()
    backups: BackupPolicy = BackupPolicy()
    calendar: CalendarPolicy = CalendarPolicy()
    max_changes_per_phase: int = 40  # ours: blast radius, resources one phase may change
    lifted: frozenset[str] = field(default_factory=frozenset)  # ours: guards set aside, as "action/criterion name"

    def is_lifted(self, action: str, criterion: str) -> bool:
        """Whether this guard of this action was explicitly set aside."""
        return f"{action}/{criterion}" in self.lifted
