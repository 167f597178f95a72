"""Sessions: the tooling account by the job's own credentials, production through the job's role there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import boto3
import botocore.session
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

from domain.clock import Clock, SystemClock
from optimizer.ports.aws import Aws
from optimizer.ports.settings import Settings

# CloudTrail shows them with the session: which build of which job, of which commit.
SESSION_TAGS = ("tap:build", "tap:commit")


@dataclass(frozen=True)
class World:
    """All that is outside: time, the environment's variables, and how to open an AWS session."""

    clock: Clock
    environ: Mapping[str, str]
    open_session: Callable[[], botocore.session.Session]
    opened: dict[object, Aws] = field(default_factory=dict)  # what was opened already, by whom it is for

    @classmethod
    def real(cls, environ: Mapping[str, str]) -> World:
        return cls(clock=SystemClock(), environ=environ, open_session=botocore.session.Session)


def tooling(world: World, settings: Settings) -> Aws:
    """The tooling account, by the job's own credentials: journal and pipeline live there."""
    who = ("tooling", settings.primary_region)
    if who not in world.opened:
        session = boto3.Session(botocore_session=world.open_session())
        world.opened[who] = Aws(session, "tooling", settings.primary_region, world.clock)
    return world.opened[who]


def production(world: World, settings: Settings) -> Aws:
    """The production account, through the job's role there; its credentials refresh themselves.

    A chained role session lasts at most one hour (IAM User Guide, "Roles terms and concepts"), and
    an instance refresh takes longer: so the credentials are fetched anew whenever they near their end.
    """
    who = (settings.role_arn, settings.external_id, settings.production_account, settings.primary_region)
    if who not in world.opened:
        session = world.open_session()
        if settings.role_arn is not None:
            session = _assumed(world, session, settings, settings.role_arn)
        region = settings.primary_region
        world.opened[who] = Aws(
            boto3.Session(botocore_session=session), settings.production_account, region, world.clock
        )
    return world.opened[who]


def _assumed(
    world: World, own: botocore.session.Session, settings: Settings, role_arn: str
) -> botocore.session.Session:
    tags = dict(zip(SESSION_TAGS, (settings.build_id, settings.revision), strict=True))
    extra = {
        "RoleSessionName": "tap-optimizer",
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        **({"ExternalId": settings.external_id} if settings.external_id else {}),
    }
    fetcher = AssumeRoleCredentialFetcher(own.create_client, own.get_credentials(), role_arn, extra_args=extra)
    session = world.open_session()
    session._credentials = DeferredRefreshableCredentials(  # type: ignore[attr-defined]  # noqa: SLF001 -- botocore's only seam for it
        fetcher.fetch_credentials, "assume-role", time_fetcher=world.clock.now
    )
    return session
