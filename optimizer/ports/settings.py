"""A job's environment variables: accounts, Regions, journal, and role.

The pipeline declares these variables on each CodeBuild project; nothing else is read from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from domain.errors import UsageError
from domain.sizing import Sizing
from optimizer.decide.approvals import ApprovalRule

BY_HAND = "local"  # the id of a run that is no build: a person runs it
MOST = 1_000_000


@dataclass(frozen=True)
class Settings:
    """The accounts, Regions and names that the optimizer works with.

    `role_arn` is the production role to assume (analyze, act or reconcile, by job); None means the
    caller's own credentials. The three parameters are what people set in the tooling account (the
    kill switch, the freeze override, announced peaks), the topic is for mails to people, the bucket
    where plans are published, `watch_name` the name of the watch's project and schedule; None means that
    there is none. `gate_timeout` is how long an Observe gate may wait. `looks` is how often one run of the
    watch looks. `revision` is the commit the job runs; `build_id` names the job's run.
    """

    journal_table: str
    production_account: str
    primary_region: str
    secondary_regions: tuple[str, ...]
    role_arn: str | None
    external_id: str | None
    pipeline_name: str | None
    switch_parameter: str | None
    override_parameter: str | None
    peaks_parameter: str | None
    approvals: ApprovalRule
    revision: str
    build_id: str
    topic_arn: str | None = None
    gate_timeout: timedelta | None = None
    records_bucket: str | None = None
    watch_name: str | None = None
    looks: int = 1

    @property
    def by_hand(self) -> bool:
        """Whether a person runs the command, and no job of the pipeline."""
        return self.build_id == BY_HAND

    @property
    def design(self) -> Sizing:
        """The sizing of the design in these Regions."""
        return Sizing.designed(len(self.secondary_regions))

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables; raises UsageError naming the first one that is missing."""

        def need(name: str) -> str:
            value = environ.get(name, "").strip()
            if not value:
                raise UsageError(f"{name} is not set: the job's CodeBuild project declares it (see docs/design.md).")
            return value

        return cls(
            journal_table=need("TAP_JOURNAL_TABLE"),
            production_account=need("TAP_PRODUCTION_ACCOUNT"),
            primary_region=need("TAP_PRIMARY_REGION"),
            secondary_regions=tuple(r for r in environ.get("TAP_SECONDARY_REGIONS", "").split(",") if r),
            role_arn=environ.get("TAP_ROLE_ARN") or None,
            external_id=environ.get("TAP_EXTERNAL_ID") or None,
            pipeline_name=environ.get("TAP_PIPELINE_NAME") or None,
            switch_parameter=environ.get("TAP_SWITCH_PARAMETER") or None,
            override_parameter=environ.get("TAP_OVERRIDE_PARAMETER") or None,
            peaks_parameter=environ.get("TAP_PEAKS_PARAMETER") or None,
            approvals=ApprovalRule(
                second=_yes_or_no(environ, "TAP_SECOND_APPROVER"),
                committers=tuple(each for each in environ.get("TAP_COMMITTERS", "").split(",") if each),
            ),
            revision=environ.get("CODEBUILD_RESOLVED_SOURCE_VERSION", "unknown"),
            build_id=environ.get("CODEBUILD_BUILD_ID", BY_HAND),
            topic_arn=environ.get("TAP_TOPIC_ARN") or None,
            gate_timeout=_minutes(environ, "GATE_TIMEOUT_MINUTES"),
            looks=_count(environ, "TAP_LOOKS", 1),
            watch_name=environ.get("TAP_WATCH_NAME") or None,
            records_bucket=environ.get("TAP_RECORDS_BUCKET") or None,
        )


def _count(environ: Mapping[str, str], name: str, usual: int) -> int:
    """A number from one to MOST; raises UsageError for anything else."""
    value = environ.get(name, "").strip() or str(usual)
    if not (value.isascii() and value.isdigit()) or not 1 <= int(value) <= MOST:
        raise UsageError(f"{name} is {value!r}: it must be a number from 1 to {MOST:,}.")
    return int(value)


def _yes_or_no(environ: Mapping[str, str], name: str) -> bool | None:
    """True or false as written; None where nothing is set. Raises UsageError for anything else."""
    value = environ.get(name, "").strip().lower()
    if value not in ("", "true", "false"):
        raise UsageError(f"{name} is {value!r}: it must be true or false.")
    return None if not value else value == "true"


def _minutes(environ: Mapping[str, str], name: str) -> timedelta | None:
    """So many minutes; None where the variable is not set."""
    return timedelta(minutes=_count(environ, name, 1)) if environ.get(name) else None
