"""Planted secrets in whole rehearsals: none may be in a log, the journal, a page or any other artifact.

The emulated account issues keys whose secret and token name themselves (`secret-of-KEY`, `token-of-KEY`): those of
users, of jobs and of every role session. Archives and compressed documents are searched as well.
"""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections.abc import Iterator

from benchmarks.campaigns.campaign import Campaign, Row, Size
from tests.rehearsal.shared import Lived, lived

PLANTED = re.compile(rb"(?:secret|token)-of-[A-Z0-9]{4,}|not-a-secret-here")
LIVES = ("quiet", "regression", "errors", "large-tables")


def texts(life: Lived) -> Iterator[tuple[str, bytes]]:
    """Every text that a life wrote or printed, by name; archives by their members."""
    yield "stdout", life.told.encode()
    yield "stderr", life.progress.encode()
    for path in sorted(each for each in life.out.rglob("*") if each.is_file()):
        yield from _within(path.relative_to(life.out).as_posix(), path.read_bytes())


def _within(name: str, body: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, body
    if zipfile.is_zipfile(io.BytesIO(body)):
        with zipfile.ZipFile(io.BytesIO(body)) as packed:
            for each in packed.namelist():
                yield from _within(f"{name}/{each}", packed.read(each))
    elif body[:2] == b"\x1f\x8b":
        yield f"{name} unpacked", gzip.decompress(body)


def run(size: Size) -> Row:
    chosen = LIVES[: size.of(1, 2, len(LIVES))]
    looked_at, failures = 0, []
    for scenario in chosen:
        for name, body in texts(lived(scenario)):
            looked_at += 1
            if found := PLANTED.search(body):
                failures.append(f"{scenario}: {name} holds {found[0].decode()[:12]}...")
    return Row(looked_at, tuple(failures), f"all that {', '.join(chosen)} left and said")


CAMPAIGN = Campaign(
    title="Secrets",
    proves="no secret key or session token is in a log, the journal, a page or another artifact",
    cannot="what CodeBuild itself logs of a command, and secrets that an application writes",
    planted="a key in an archive, and a token on the standard output (tests/campaigns/test_campaigns.py)",
    run=run,
)
