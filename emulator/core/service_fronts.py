"""The services that moto does not have: an address, and a response class whose operations are all in the overlay."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.responses import BaseResponse


class _PriceListResponse(BaseResponse):  # type: ignore[misc]  # moto publishes no types
    def __init__(self) -> None:
        super().__init__(service_name="pricing")


class _SavingsPlansResponse(BaseResponse):  # type: ignore[misc]  # moto publishes no types
    def __init__(self) -> None:
        super().__init__(service_name="savingsplans")


@dataclass(frozen=True)
class Front:
    """A backend as moto expects it, to find a service's operations: by address, and by path when moto serves HTTP."""

    host: str
    path: str
    flask_path: str
    response: type[BaseResponse]

    @property
    def urls(self) -> Mapping[str, Any]:
        return {f"{self.host}{self.path}$": self.response.dispatch}

    @property
    def flask_paths(self) -> Mapping[str, Any]:
        return {self.flask_path: self.response.dispatch}


# The Price List answers in three Regions only (AWS Billing User Guide, "Price List Query API endpoints"). Behind a
# redirected endpoint, moto recognizes a service by its signing name: without the `api.`, and with a Region.
FRONTS = {
    "pricing": Front(
        host=r"https?://(?:api\.)?pricing\.(?:us-east-1|eu-central-1|ap-south-1)\.amazonaws\.com",
        path="/",
        flask_path="/",
        response=_PriceListResponse,
    ),
    "savingsplans": Front(
        host=r"https?://savingsplans\.(?:[a-z0-9-]+\.)?amazonaws\.com",
        path="/[A-Za-z]+",
        flask_path="/<operation>",
        response=_SavingsPlansResponse,
    ),
}


def patterns() -> list[tuple[str, re.Pattern[str]]]:
    """The services by their addresses, in the form of moto's own list."""
    return [(service, re.compile(front.host)) for service, front in FRONTS.items()]


def backend_of(known: Callable[[str], Any]) -> Callable[[str], Any]:
    """moto's `get_backend`, which also finds these services."""

    def get_backend(service: str) -> Any:
        return {"global": FRONTS[service]} if service in FRONTS else known(service)

    return get_backend
