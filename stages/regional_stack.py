"""A stack whose Region and zones are known at synthesis, so that synthesis makes no lookups in AWS."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from constructs import Construct

from domain.environment import Region


class RegionalStack(cdk.Stack):
    """A stack in one Region of the production account, protected against deletion.

    `revision` is the sizing record's revision: each template carries the revision it was made from, and
    an older one is refused at every deployment.
    """

    def __init__(
        self, scope: Construct, id: str, *, account: str, region: Region, revision: int, **kwargs: Any
    ) -> None:
        self._zones = list(region.zones)
        super().__init__(
            scope,
            id,
            env=cdk.Environment(account=account, region=region.name),
            termination_protection=True,
            **kwargs,
        )
        self.template_options.metadata = {"tap:sizing-revision": revision}

    @property
    def availability_zones(self) -> list[str]:
        """The environment's zones. Without this override a Vpc asks the account for them."""
        return self._zones
