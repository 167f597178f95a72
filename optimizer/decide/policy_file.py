"""A policy with some of its numbers replaced by a file: YAML by the names of `Policy`, as `fleet: {cpu_after: 60}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from domain.errors import UsageError
from optimizer.decide.policy import Policy


def read_policy(path: Path) -> Policy:
    """The policy in force with what the file says in its place. Raises UsageError naming the file and the field."""
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error.__class__.__name__}).") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, Mapping):
        raise UsageError(f"{path}: holds no names and values; write for example `fleet: {{cpu_after: 60}}`.")
    policy: Policy = _replaced(Policy(), content, str(path), "")
    return policy


def _replaced(value: Any, content: Mapping[str, Any], file: str, place: str) -> Any:
    known = {each.name for each in fields(value)}
    changes = {}
    for name, new in content.items():
        where = f"{place}{name}"
        if name not in known:
            raise UsageError(f"{file}: {where}: no such field; there are {', '.join(sorted(known))}.")
        changes[name] = _value(getattr(value, name), new, file, where)
    return replace(value, **changes)


def _value(old: Any, new: Any, file: str, where: str) -> Any:
    """A new value of the old one's type; a number stands for days where the old value is a duration."""
    if is_dataclass(old):
        if not isinstance(new, Mapping):
            raise UsageError(f"{file}: {where}: must hold names and values, not {new!r}.")
        return _replaced(old, new, file, f"{where}.")
    if isinstance(old, BaseModel):
        try:
            return type(old).model_validate({**old.model_dump(), **new})
        except (TypeError, ValidationError) as error:
            raise UsageError(f"{file}: {where}: {' '.join(str(error).split())}") from error
    if isinstance(old, bool):
        if isinstance(new, bool):
            return new
    elif isinstance(old, timedelta) and isinstance(new, int | float):
        return timedelta(days=new)
    elif isinstance(old, str) and isinstance(new, str):
        return new
    elif _fits(old, new):
        return type(old)(new)
    raise UsageError(f"{file}: {where}: must be like {old!r}, not {new!r}.")


def _fits(old: Any, new: Any) -> bool:
    numbers = isinstance(old, int | float) and isinstance(new, int | float) and not isinstance(new, bool)
    return numbers or (isinstance(old, frozenset | tuple) and isinstance(new, list))
