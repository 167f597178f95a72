"""CloudFormation's backend in moto: an address, and no operation of its own.

moto's own service imports some twenty others (seconds, and more packages), and reports success for
types that it skips. It is not used here: the overlay answers from the deployed templates.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace

from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.responses import BaseResponse


class CloudFormationResponse(BaseResponse):  # type: ignore[misc] # moto has no types
    """Receives the requests; the overlay answers them before moto looks for a method."""

    def __init__(self) -> None:
        super().__init__(service_name="cloudformation")


class CloudFormationBackend(BaseBackend):  # type: ignore[misc]
    """A backend without state: `StackStore` has it."""

    @property
    def _url_module(self) -> SimpleNamespace:
        return SimpleNamespace(
            url_bases=[r"https?://cloudformation\.(.+)\.amazonaws\.com"],
            url_paths={"{0}/$": CloudFormationResponse.dispatch},
        )


cloudformation_backends = BackendDict(CloudFormationBackend, "cloudformation")


def take_place() -> None:
    """Replace moto's own service, unless that one is already in use."""
    sys.modules.setdefault("moto.cloudformation", sys.modules[__name__])
