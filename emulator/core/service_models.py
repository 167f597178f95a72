"""botocore's models of AWS's services, read once: all clients and moto share them, without their documentation.

They take most of an emulated account's memory, and by default each botocore client makes its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import botocore.loaders
from botocore.model import ServiceModel
from moto.core.loaders import Loader as MotoLoader
from moto.core.loaders import moto_root


class _Undocumented(botocore.loaders.JSONFileLoader):
    """A reader of botocore's files that drops the documentation texts."""

    def _load_file(self, full_path: str, open_method: Callable[..., Any]) -> dict[str, Any] | None:
        if not Path(full_path).is_file():
            return None
        with open_method(full_path, "rb") as file:
            found: dict[str, Any] = json.loads(file.read(), object_pairs_hook=_without_texts)
            return found


def _without_texts(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {name: "" if name == "documentation" and isinstance(value, str) else value for name, value in pairs}


class _Shared(MotoLoader):  # type: ignore[misc]  # moto has no types
    """moto's loader: the clients' models, except for the services to whose models moto adds something."""

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        if any(Path(moto_root, service_name.replace("-", "")).glob(f"*/{type_name}.moto-extras.*")):
            return super().load_service_model(service_name, type_name, api_version)
        return loader().load_service_model(service_name, type_name, api_version)


@cache
def loader() -> botocore.loaders.Loader:
    """The loader from which all sessions read models."""
    return botocore.loaders.Loader(file_loader=_Undocumented())


@cache
def moto_loader() -> MotoLoader:
    """The replacement of moto's own loader."""
    return _Shared(extra_search_paths=[moto_root], file_loader=_Undocumented())


@cache
def _model(service: str, api_version: str | None) -> ServiceModel:
    return ServiceModel(loader().load_service_model(service, "service-2", api_version=api_version), service)


def one_model(original: Callable[..., ServiceModel]) -> Callable[..., ServiceModel]:
    """`ClientCreator._load_service_model`, with one model for all clients whose session shares `loader()`."""

    def load(creator: Any, service_name: str, api_version: str | None = None) -> ServiceModel:
        shares = creator._loader is loader()  # noqa: SLF001 -- the seam
        return _model(service_name, api_version) if shares else original(creator, service_name, api_version)

    return load
