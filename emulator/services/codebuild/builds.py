"""The builds of an account: started, provisioning, or running."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

PROVISIONING = timedelta(seconds=90)  # from StartBuild to a build's first command: assumed, AWS states no figure


@dataclass(frozen=True)
class Build:
    """One build, by its project's name. `begins`: the time of its first command."""

    id: str
    project: str
    begins: datetime


@dataclass
class Builds:
    """Builds that were started and have not run yet.

    The runner of the commands takes each build that is `due`, and wraps its run in `at_work`.
    """

    waiting: list[Build] = field(default_factory=list)
    running: int = 0
    refused: int = 0

    def may_start(self, limit: int | None) -> bool:
        """Whether one more build may run within `limit`; a refusal is counted."""
        if limit is None or self.running + len(self.waiting) < limit:
            return True
        self.refused += 1
        return False

    def start(self, id: str, project: str, now: datetime) -> Build:
        """Queue a build."""
        build = Build(id, project, now + PROVISIONING)
        self.waiting.append(build)
        return build

    def due(self, project: str, by: datetime) -> Build | None:
        """The next build of this project that begins by then; it leaves the queue."""
        found = next((each for each in self.waiting if each.project == project and each.begins <= by), None)
        if found is not None:
            self.waiting.remove(found)
        return found

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count a build as running inside the block."""
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
