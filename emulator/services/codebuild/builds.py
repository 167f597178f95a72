"""The builds of an account: asked for, waiting for their container, at work; and those at work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

PROVISIONING = timedelta(seconds=90)  # from StartBuild to a build's first command: assumed, AWS states no figure


@dataclass(frozen=True)
class Build:
    """One build, by its project's name. `begins`: when its first command runs."""

    id: str
    project: str
    begins: datetime


@dataclass
class Builds:
    """What was started and not run yet.

    Whoever runs the commands asks for what is `due`, and tells by `at_work` that a build is running.
    """

    waiting: list[Build] = field(default_factory=list)
    running: int = 0
    refused: int = 0

    def may_start(self, limit: int | None) -> bool:
        """Whether one more may run beside `limit` in all; a refusal is counted."""
        if limit is None or self.running + len(self.waiting) < limit:
            return True
        self.refused += 1
        return False

    def start(self, id: str, project: str, now: datetime) -> Build:
        """Put a build in line."""
        build = Build(id, project, now + PROVISIONING)
        self.waiting.append(build)
        return build

    def due(self, project: str, by: datetime) -> Build | None:
        """The next build of this project that begins by then; it is taken out of the line."""
        found = next((each for each in self.waiting if each.project == project and each.begins <= by), None)
        if found is not None:
            self.waiting.remove(found)
        return found

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """While a build runs its commands."""
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
