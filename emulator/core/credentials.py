"""Callers: access keys, the account each belongs to, and sessions that end."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any

import botocore.session
from botocore.handlers import BUILTIN_HANDLERS
from botocore.hooks import HierarchicalEmitter

from emulator.core.service_models import loader

KEY_ID = "AWS_ACCESS_KEY_ID"  # botocore's own name for it
SESSION = timedelta(hours=1)  # a chained role session lasts one hour at most (IAM User Guide, roles terms)


@dataclass(frozen=True)
class AccessKey:
    """One access key. `role_arn` is the role of its session; a user's key has none. `expires`: None never ends."""

    id: str
    secret: str
    account: str
    role_arn: str | None = None
    session_name: str | None = None
    token: str | None = None
    expires: datetime | None = None

    @property
    def variables(self) -> dict[str, str]:
        """The key as a process's environment variables."""
        given = {KEY_ID: self.id, "AWS_SECRET_ACCESS_KEY": self.secret, "AWS_SESSION_TOKEN": self.token or ""}
        return {name: value for name, value in given.items() if value}


class Credentials:
    """All access keys of the emulated accounts. An unknown key belongs to the default account."""

    def __init__(self, default: str, others: tuple[str, ...], seed: int) -> None:
        self.default = default
        self._random = Random(seed)  # noqa: S311 -- repeatable, and guards nothing
        self._keys: dict[str, AccessKey] = {}
        self._jobs: dict[str, AccessKey] = {}
        self._users = {account: self._give_user(account) for account in (default, *others)}

    @property
    def accounts(self) -> frozenset[str]:
        return frozenset(self._users)

    def of_user(self, account: str) -> AccessKey:
        """The permanent key of an account; raises KeyError for an account that does not exist."""
        return self._users[account]

    def of_job(self, role_arn: str) -> AccessKey:
        """A job's key of its own role: CodeBuild renews it, so that it never ends."""
        if role_arn not in self._jobs:
            account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
            id = f"ASIAJOB{len(self._jobs):0>13}"
            key = AccessKey(id, f"secret-of-{id}", account, role_arn, name, f"token-of-{id}")
            self._jobs[role_arn] = self._add(key)
        return self._jobs[role_arn]

    def find(self, key_id: str) -> AccessKey | None:
        return self._keys.get(key_id)

    def account_of(self, key_id: str) -> str:
        key = self._keys.get(key_id)
        return key.account if key else self.default

    def arn_of(self, key_id: str) -> str:
        """ARN of the key's owner, as STS names the caller."""
        key = self._keys.get(key_id)
        if key is None or key.role_arn is None:
            return f"arn:aws:iam::{self.account_of(key_id)}:user/job"
        return f"arn:aws:sts::{key.account}:assumed-role/{key.role_arn.split('/')[-1]}/{key.session_name}"

    def assume(self, role_arn: str, session_name: str, until: datetime) -> AccessKey:
        """A new session of a role."""
        key_id = "ASIA" + "".join(self._random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16))
        return self._add(
            AccessKey(
                id=key_id,
                secret=f"secret-of-{key_id}",
                account=role_arn.split(":")[4],
                role_arn=role_arn,
                session_name=session_name,
                token=f"token-of-{key_id}",
                expires=until,
            )
        )

    def _give_user(self, account: str) -> AccessKey:
        return self._add(AccessKey(f"AKIA{account:0>16}", f"secret-of-{account}", account))

    def _add(self, key: AccessKey) -> AccessKey:
        self._keys[key.id] = key
        return key


class _Session(botocore.session.Session):
    """A session that caches its clients: they hold no state, and making one takes longer than most calls."""

    def create_client(self, service_name: str, region_name: str | None = None, *args: Any, **more: Any) -> Any:
        read_by = self.get_component("response_parser_factory")
        named = sorted((name, value) for name, value in more.items() if value is not None and name != "config")
        key = (service_name, region_name, *args, repr(named), id(more.get("config")), id(read_by))
        kept: dict[tuple[Any, ...], tuple[Any, ...]] = vars(self).setdefault("_kept", {})
        if key not in kept:
            # Parameters compared by identity live as long as the client.
            kept[key] = super().create_client(service_name, region_name, *args, **more), more, read_by
        return kept[key][0]


def botocore_session(
    key: AccessKey, region: str, *, endpoint: bool = False, shape_clients: Callable[..., None] | None = None
) -> botocore.session.Session:
    """A session that holds this key, reads no file and shares the loaded models with all others.

    With `endpoint`, it calls the address in AWS_ENDPOINT_URL; without, that variable is ignored.
    `shape_clients` handles botocore's event that makes a client's class.
    """
    session = _Session(event_hooks=copy.copy(_builtin_hooks(len(BUILTIN_HANDLERS))), include_builtin_handlers=False)
    session.register_component("data_loader", loader())
    session.set_credentials(key.id, key.secret, key.token)
    for name, value in {
        "region": region,
        "config_file": os.devnull,
        "credentials_file": os.devnull,
        "ignore_configured_endpoint_urls": not endpoint,
        # moto does not know the DynamoDB endpoints that contain the account's number.
        "account_id_endpoint_mode": "disabled",
    }.items():
        session.set_config_variable(name, value)
    if shape_clients is not None:
        session.register("creating-client-class", shape_clients)
    return session


@cache
def _builtin_hooks(_count: int) -> HierarchicalEmitter:
    """botocore's own handlers, and moto's once it is loaded: their registration takes longer than most calls."""
    hooks = HierarchicalEmitter()
    botocore.session.Session(event_hooks=hooks)
    return hooks
