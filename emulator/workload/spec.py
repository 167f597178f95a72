"""The workload of a scenario, as in the scenario's file."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AwareDatetime, Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from domain.values import _Value

Milestone = Annotated[str, Field(pattern=r"^(plan\.approved|phase[123]\.(applied|accepted|rolled_back))$")]


class NightlyJob(_Value):
    """Work beside the requests, every night in UTC, that multiplies p99 by `p99_factor`."""

    hour: Annotated[int, Field(ge=0, le=23)]
    minutes: PositiveFloat
    p99_factor: PositiveFloat


class Growth(_Value):
    """Growth of tenants and requests, in percent in 30 days; the workload's numbers are those at `at`."""

    percent: float
    at: AwareDatetime


class Spike(_Value):
    """A spike of `factor` times the usual requests, for some hours from `at` on."""

    factor: PositiveFloat
    at: AwareDatetime
    hours: PositiveFloat = 3


class Work(_Value):
    """Processor work of a request as a multiple of this platform's, for the fleet, writer and readers."""

    fleet: PositiveFloat = 1.0
    writer: PositiveFloat = 1.0
    readers: PositiveFloat = 1.0


class WorkloadSpec(_Value):
    """The platform's users. `zone` is the IANA time zone of their day.

    With `memory_of_each_instance` the CloudWatch agent publishes memory under each instance's id (its default without
    `aggregation_dimensions`); else under the group's name alone.
    `rhythm`: requests of each hour of the week from Monday 00:00 UTC, relative to their mean; None: the usual one.
    """

    tenants: PositiveInt
    requests_per_day: PositiveFloat
    zone: str = "UTC"
    memory_of_each_instance: bool = False
    nightly_jobs: tuple[NightlyJob, ...] = ()
    work: Work = Work()
    rhythm: Annotated[tuple[NonNegativeFloat, ...], Field(min_length=168, max_length=168)] | None = None
    growth: Growth | None = None
    spike: Spike | None = None


class IndexJob(_Value):
    """A job outside the requests that sends queries to an index, within five minutes, every few days."""

    table: str
    index: str
    every_days: PositiveInt
    queries: PositiveInt


class IndexQueries(_Value):
    """Queries that each request sends to an index, on top of the usual ones."""

    table: str
    index: str
    per_request: PositiveFloat


class Unserved(_Value):
    """Shares of the requests, by who does not serve them: failures that no 5xx counts."""

    rejected: Annotated[float, Field(ge=0, le=1)] = 0.0
    tls_errors: Annotated[float, Field(ge=0, le=1)] = 0.0
    connection_errors: Annotated[float, Field(ge=0, le=1)] = 0.0
    target_4xx: Annotated[float, Field(ge=0, le=1)] = 0.0
    elb_4xx: Annotated[float, Field(ge=0, le=1)] = 0.0


class WorkloadEvent(_Value):
    """An event that affects the platform, from some minutes after a milestone on.

    It ends `until_minutes` after the same milestone, or at the milestone `until`, or never. Effects:
    the 99th percentile of latency times `p99_factor`; `error_rate` of the requests fail at the
    targets (with `path`, both only those to the target group of that name); `outage`: none reaches a
    target; `silent`: no metric is published; `unserved`: requests fail where no 5xx counts them;
    `queries` use an index;
    an Aurora failover that begins meanwhile takes `failover_seconds`; AWS has no instance or node of the
    types in `no_capacity`; the control planes of the services in `failing`, by boto3's names, answer nobody in
    production; no more than `build_limit` builds run at once; instances that use more than `unhealthy_above` percent of
    their processors fail their health checks.
    """

    on: Milestone
    after_minutes: NonNegativeFloat = 0
    until: Milestone | None = None
    until_minutes: PositiveFloat | None = None
    p99_factor: PositiveFloat = 1.0
    error_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    path: str | None = None
    outage: bool = False
    silent: bool = False
    unserved: Unserved | None = None
    queries: IndexQueries | None = None
    failover_seconds: PositiveFloat | None = None
    no_capacity: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    build_limit: PositiveInt | None = None
    unhealthy_above: PositiveFloat | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.until is not None and self.until_minutes is not None:
            raise ValueError("an event ends by `until` or by `until_minutes`, not by both")
        if self.until_minutes is not None and self.until_minutes <= self.after_minutes:
            raise ValueError(f"an event cannot end at minute {self.until_minutes:g}, before it begins")
        if self.path is not None and self.p99_factor == 1.0 and not self.error_rate:
            raise ValueError(f"the path {self.path} needs a p99_factor or an error_rate of its own")
        service = self.p99_factor != 1.0 or self.error_rate or self.outage or self.silent or self.unserved
        aws = self.failover_seconds or self.no_capacity or self.failing or self.build_limit or self.unhealthy_above
        if not (service or self.queries or aws):
            raise ValueError(
                "an event needs an effect: p99_factor, error_rate, outage, silent, unserved, queries, "
                "failover_seconds, no_capacity, failing, build_limit or unhealthy_above"
            )
        return self


class FollowedPointers(_Value):
    """The application declares that it follows the pointers to its tables, and really writes to them.

    The tables hold a sample of its items, of this size; one of its writes is carried out every few minutes.
    DescribeTable counts each item of the sample as `each_counts_as` items. With `late_writes`, a put and a delete reach
    the
    old tables after every switch of the pointers, although writes to them are denied by then.
    """

    items: PositiveInt
    each_counts_as: PositiveInt = 1
    write_every_minutes: PositiveFloat
    late_writes: bool = False
