"""A survey of an account with 1,000 resources: CPU, calls of CloudWatch against their floor, requests by service.

python -m benchmarks.survey [--resources 1000]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.survey.crowd import crowded, floor
from tests.survey.platform import REGION, run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resources", type=int, default=1000)
    asked = parser.parse_args()
    with crowded(asked.resources) as account, tempfile.TemporaryDirectory() as out:
        begun, wall = time.process_time(), time.monotonic()
        code, calls = run(account, ["--regions", REGION, "--out", out, "--no-bill"])
        spent, took = time.process_time() - begun, time.monotonic() - wall
        page = (Path(out) / "dashboard.html").stat().st_size
    metric = [each for each in calls if each.operation == "GetMetricData"]
    print(f"{asked.resources} resources: {spent:.1f} s CPU with the emulated account's own, {took:.1f} s")
    print(f"{len(metric)} calls of GetMetricData, the floor is {floor(metric)}; {len(calls)} requests in all")
    print(f"the page has {page / 1e6:.1f} MB")
    for service, count in Counter(each.service for each in calls).most_common():
        print(f"  {count:6} {service}")
    return code


if __name__ == "__main__":
    sys.exit(main())
