"""A job's view of the rehearsal: the account's clock, its own variables, its own credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from emulator.account import EmulatedAccount
from optimizer.ports.aws import Aws
from optimizer.ports.sessions import World
from rehearsal.job_clock import JobClock


@dataclass
class _Opened:
    """The clients of each job, by its access key. Clients hold no state: all runs of a job share them."""

    of_key: dict[str, dict[object, Aws]] = field(default_factory=dict)


def job_world(account: EmulatedAccount, environ: Mapping[str, str]) -> World:
    """The world of an in-process job with these variables."""
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    key = account.key_of(environ)
    opened = account.part(_Opened).of_key.setdefault(key.id, {})
    return World(JobClock(account), environ, lambda: account.botocore_session(key, region), opened)
