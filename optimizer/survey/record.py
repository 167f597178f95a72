"""A survey's result as one file: the sizes of every resource and how hard it worked, in strict, versioned JSON.

Only sizes and figures are kept, no description of AWS: an anonymous record names nothing that is somebody's. There
identifiers are hashed with a salt that is kept nowhere, so that equal ones stay equal within the record, and the number
of an account, of which there are few enough to try all, cannot be found again.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from domain.errors import UsageError
from optimizer.model.resource import Governed, Kind
from optimizer.observe.load import hours_of_week
from optimizer.observe.metrics import Query, Series
from optimizer.survey.survey import Survey

VERSION = 1
Hash = Callable[[str], str]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FleetState(_Value):
    """An Auto Scaling group."""

    instance_type: str
    minimum: int
    desired: int
    maximum: int


class CacheState(_Value):
    """A replication group: how many replicas each of its shards has."""

    node_type: str
    replicas: tuple[int, ...]


class Instance(_Value):
    """One Aurora instance. Tier 0 is promoted first."""

    instance_class: str
    tier: int
    writes: bool


class ClusterState(_Value):
    """An Aurora cluster."""

    instances: tuple[Instance, ...]
    retention_days: int | None


class TableState(_Value):
    """A DynamoDB table."""

    indexes: int
    stream: bool


class GlobalState(_Value):
    """A global database: in how many other Regions it is."""

    secondaries: int


class Resource(_Value):
    """One resource: what it is, where, whose by its tags, and its size where an action reads one."""

    kind: str
    name: str
    arn: str
    region: str
    engine: str = ""
    tags: Mapping[str, str]
    fleet: FleetState | None = None
    cache: CacheState | None = None
    cluster: ClusterState | None = None
    table: TableState | None = None
    database: GlobalState | None = None


class Recorded(_Value):
    """One statistic of one metric: means of the week's 168 hours from Monday 00:00 UTC, p95, highest."""

    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]
    region: str
    statistic: str
    period: int
    coverage: float
    p95: float
    highest: float
    hours: tuple[float | None, ...] = Field(min_length=168, max_length=168)


class Record(_Value):
    """A surveyed account. `anonymous`: identifiers are hashed."""

    version: Literal[1]
    anonymous: bool
    account: str
    at: AwareDatetime
    regions: tuple[str, ...]
    covered_days: float
    resources: tuple[Resource, ...]
    metrics: tuple[Recorded, ...]

    def of(self, kind: Kind) -> tuple[Resource, ...]:
        """The resources of one kind, the largest region first as they were found."""
        return tuple(each for each in self.resources if each.kind == kind.name)


def record_of(survey: Survey, *, anonymous: bool = False) -> Record:
    """The record of a survey, fit to be kept or given away."""
    hashed: Hash = _hasher(secrets.token_bytes(16)) if anonymous else str
    account = f"{int(hashed(survey.account)[2:], 16) % 10**12:012}" if anonymous else survey.account
    before = {(each.resource, each.action): each.before for each in survey.plan.decisions}
    resources = tuple(
        _resource(each, {action: state for (arn, action), state in before.items() if arn == each.arn}, account, hashed)
        for each in survey.inventory.governed
    )
    metrics = tuple(
        _recorded(query, name, series, survey.measured.coverage(query, name), hashed)
        for (query, name), series in survey.measured.series.items()
        if len(series)
    )
    return Record(
        version=VERSION,
        anonymous=anonymous,
        account=account,
        at=survey.at,
        regions=survey.request.regions,
        covered_days=survey.plan.covered_days,
        resources=resources,
        metrics=metrics,
    )


def write_record(record: Record, path: Path) -> None:
    """Write the record as JSON that any reader takes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record.model_dump(mode="json"), indent=1, sort_keys=True, allow_nan=False) + "\n")


def read_record(path: Path) -> Record:
    """The record in a file. Raises UsageError naming the file, and the field that is wrong."""
    try:
        text = path.read_text()
        version = json.loads(text).get("version")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: cannot be read ({error.__class__.__name__}). `survey --record` writes one."
        ) from error
    except (ValueError, AttributeError) as error:
        raise UsageError(f"{path}: is no record of a survey: {error}.") from error
    if version != VERSION:
        raise UsageError(f"{path}: is a record of version {version}, this reads {VERSION}. Survey again.")
    try:
        return Record.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{path}: {place}: {first['msg']}.") from error


def _hasher(salt: bytes) -> Hash:
    """A short name for each text, the same for the same one."""
    return lambda text: f"x-{sha256(salt + text.encode()).hexdigest()[:12]}"


def _resource(governed: Governed, states: Mapping[str, Any], account: str, hashed: Hash) -> Resource:
    parts = governed.arn.split(":", 5)
    arn = governed.arn if hashed is str else ":".join([*parts[:4], account if parts[4] else "", hashed(parts[5])])
    return Resource(
        kind=governed.kind.name,
        name=hashed(governed.name),
        arn=arn,
        region=governed.region,
        engine=str(governed.attributes.get("engine", "")),
        tags={hashed(key): hashed(value) for key, value in governed.tags.items()},
        **_states(states),
    )


def _states(states: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes, by what the actions described."""
    described: dict[str, Any] = {}
    if (fleet := states.get("fleet_rightsize")) and fleet["instance_type"]:
        names = ("instance_type", "minimum", "desired", "maximum")
        described["fleet"] = FleetState(**{name: fleet[name] for name in names})
    if cache := states.get("redis_rightsize"):
        replicas = tuple(count for _, count in sorted(cache["shards"].items()))
        described["cache"] = CacheState(node_type=cache["node_type"], replicas=replicas)
    if writer := states.get("aurora_writer"):
        instances = tuple(
            Instance(instance_class=each["class"], tier=each["tier"], writes=name == writer["writer"])
            for name, each in sorted(writer["instances"].items())
        )
        days = states.get("aurora_backups", {}).get("retention_days")
        described["cluster"] = ClusterState(instances=instances, retention_days=days)
    if table := states.get("gsi_removal"):
        stream = bool(states.get("stream_disable", {}).get("stream"))
        described["table"] = TableState(indexes=len(table["indexes"]), stream=stream)
    if database := states.get("aurora_presence"):
        described["database"] = GlobalState(secondaries=len(database["secondaries"]))
    return described


def _recorded(query: Query, statistic: str, series: Series, coverage: float, hashed: Hash) -> Recorded:
    named = ("Role", "Operation")  # values that AWS gives, the same for everybody
    return Recorded(
        namespace=query.namespace,
        metric=query.name,
        dimensions=tuple((name, value if name in named else hashed(value)) for name, value in query.dimensions),
        region=query.region,
        statistic=statistic,
        period=query.period,
        coverage=round(min(coverage, 100.0), 2),
        p95=_short(float(np.percentile(series.values, 95))),
        highest=_short(float(series.values.max())),
        hours=hours_of_week([(query, series)]),
    )


def _short(value: float) -> float:
    return float(f"{value:.6g}") if math.isfinite(value) else 0.0


def metrics_of(record: Record, metric: str, statistic: str) -> Iterator[Recorded]:
    """All series of one statistic of one metric."""
    yield from (each for each in record.metrics if (each.metric, each.statistic) == (metric, statistic))
