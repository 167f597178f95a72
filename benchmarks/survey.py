"""A survey of an account with 1,000 resources: CPU, calls of CloudWatch against their floor, requests by service.

python -m benchmarks.survey [--resources 1000]

The survey's own CPU is that of the process without what the emulated account spends on its answers. It holds what
botocore does around a call, but not the reading of texts, which the emulated account spares.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from emulator.account import EmulatedAccount
from tests.survey.crowd import crowded, floor
from tests.survey.platform import REGION, run


@dataclass
class Answering:
    """CPU seconds that the account spent on answers, over all threads."""

    seconds: float = 0.0


@contextmanager
def answering(account: EmulatedAccount) -> Iterator[Answering]:
    """Counts what the account spends on its answers."""
    spent, lock, handle = Answering(), Lock(), account.handle

    def timed(request: Any) -> Any:
        begun = time.thread_time()
        try:
            return handle(request)
        finally:
            with lock:
                spent.seconds += time.thread_time() - begun

    account.handle = timed  # type: ignore[method-assign]
    try:
        yield spent
    finally:
        account.handle = handle  # type: ignore[method-assign]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resources", type=int, default=1000)
    asked = parser.parse_args()
    with crowded(asked.resources) as account, answering(account) as spent, tempfile.TemporaryDirectory() as out:
        begun, wall, answered = time.process_time(), time.monotonic(), spent.seconds
        code, calls = run(account, ["--regions", REGION, "--out", out, "--no-bill", "--record", f"{out}/record.json"])
        whole, took = time.process_time() - begun, time.monotonic() - wall
        account_own = spent.seconds - answered
        page, record = ((Path(out) / each).stat().st_size for each in ("dashboard.html", "record.json"))
    metric = [each for each in calls if each.operation == "GetMetricData"]
    print(f"{asked.resources} resources: {whole - account_own:.1f} s CPU of the survey itself, {took:.1f} s in all")
    print(f"the emulated account's answers took {account_own:.1f} s CPU")
    print(f"{len(metric)} calls of GetMetricData, the floor is {floor(metric)}; {len(calls)} requests in all")
    print(f"the page has {page / 1e6:.1f} MB, the record {record / 1e6:.1f} MB")
    for service, count in Counter(each.service for each in calls).most_common():
        print(f"  {count:6} {service}")
    return code


if __name__ == "__main__":
    sys.exit(main())
