"""The platform's services: the port that each listens on, and the paths that lead to it."""

from __future__ import annotations

from dataclasses import dataclass

HEALTH = "/health"


@dataclass(frozen=True)
class Service:
    """One service of the platform."""

    name: str
    port: int
    paths: tuple[str, ...] = ()


DEFAULT = Service("default", 8080)
ROUTED = (
    Service("api", 8081, ("/api", "/api/*")),
    Service("auth", 8082, ("/auth", "/auth/*", "/.well-known/*")),
    Service("admin", 8083, ("/admin", "/admin/*")),
)
PORTS = tuple(service.port for service in (DEFAULT, *ROUTED))
