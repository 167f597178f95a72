"""The fleet starts without an image: the program in its user data, and the page's requirements for an own image."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.fleet import AGENT_NAMESPACE, LOG_GROUP, OWN_IMAGE, PLACEHOLDER, TENANTS_NAMESPACE, USER_DATA
from stages.pointers import POINTED
from stages.services import DEFAULT, HEALTH, PORTS, ROUTED

PAGE = (Path(__file__).parents[2] / "docs" / "image.md").read_text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def ports() -> Iterator[list[int]]:
    """The program as the instance has it, on four free ports."""
    found = [free_port() for _ in PORTS]
    running = subprocess.Popen([sys.executable, str(PLACEHOLDER), "127.0.0.1", *map(str, found)])
    try:
        for port in found:
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
        yield found
    finally:
        running.terminate()
        running.wait()


@pytest.mark.parametrize(
    ("path", "status"),
    [(HEALTH, 200), ("/api/health", 200), ("/auth/health?from=canary", 200), ("/", 503), ("/api/tenants", 503)],
)
def test_it_is_well_on_every_port_and_nothing_else(ports: list[int], path: str, status: int) -> None:
    assert {status_of(port, path) for port in ports} == {status}


def status_of(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_user_data_starts_it_where_there_is_no_image_of_ones_own() -> None:
    assert f"if [ ! -e {OWN_IMAGE} ]" in USER_DATA
    assert f"0.0.0.0 {' '.join(map(str, PORTS))}" in USER_DATA
    assert PLACEHOLDER.read_text() in USER_DATA
    assert len(USER_DATA.encode()) < 16_384  # EC2 User Guide, "Run commands when you launch an EC2 instance"
    done = subprocess.run(["sh", "-n"], input=USER_DATA, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_page_asks_of_an_image_what_the_templates_have() -> None:
    for service in (DEFAULT, *ROUTED):
        assert f"{service.port} ({service.name})" in PAGE
        assert all(f"`{path}`" in PAGE for path in service.paths)
    for named in (OWN_IMAGE, LOG_GROUP, AGENT_NAMESPACE, TENANTS_NAMESPACE, "tap_application", "tap-application"):
        assert f"`{named}`" in PAGE
    assert POINTED
    assert set(re.findall(r"`/tap/([a-z]+)", PAGE)) >= {"tables", "cache", "database"}
