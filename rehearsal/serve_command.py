"""The commands `rehearse serve` and `rehearse exec`. Only serving needs moto, the loader and a synthesis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.served_world import advance, execute

if TYPE_CHECKING:
    from rehearsal.scenario import Scenario

__all__ = ["advance", "execute", "serve"]


def serve(port: int, scenario: Scenario, seed: int = 0) -> int:
    """Serve the emulated account on 127.0.0.1; see `host`."""
    from rehearsal.serve import host

    return host(port, scenario, seed)
