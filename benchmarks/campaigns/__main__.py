"""Runs campaigns, and prints a row for each: python -m benchmarks.campaigns [NAME ...] [--size large] [--seed 0].

With `--write` it stores the rows in figures.json, and makes docs/reliability.md from them.
"""

from __future__ import annotations

import argparse
import resource
import sys

from benchmarks.campaigns.campaign import Extent, Row, Size, campaigns
from benchmarks.campaigns.reliability import kept, write

LONGEST = 3_600  # CPU seconds of all campaigns together, unless --size all


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="these campaigns alone")
    parser.add_argument("--size", choices=[each.value for each in Extent], default=Extent.LARGE.value)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="keep the rows for docs/reliability.md")
    asked = parser.parse_args()
    known, size = campaigns(), Size(Extent(asked.size), asked.seed)
    if unknown := [each for each in asked.names if each not in known]:
        parser.error(f"no campaign {', '.join(unknown)}; there are {', '.join(known)}")
    failed, began, rows = False, cpu(), {}
    print(f"{'campaign':14} {'cases':>7} {'failures':>9} {'CPU s':>7}  coverage")
    for name in asked.names or known:
        if size.extent is Extent.LARGE and cpu() - began > LONGEST:
            print(f"{name:14} not run: {LONGEST:,} CPU s are over (CAMPAIGN=all has no limit)")
            continue
        start = cpu()
        row = rows[name] = known[name].run(size)
        failed = failed or bool(row.failures)
        print(f"{name:14} {row.cases:7,} {len(row.failures):9,} {cpu() - start:7,.0f}  {row.covered}", flush=True)
        for each in row.failures[:20]:
            print(f"    {each}")
    if asked.write:
        write({**kept(), **{name: _kept(row, size) for name, row in rows.items()}})
    return 1 if failed else 0


def _kept(row: Row, size: Size) -> dict[str, object]:
    return {"cases": row.cases, "failures": len(row.failures), "covered": row.covered, "size": size.extent.value}


def cpu() -> float:
    """CPU seconds of this process and of all processes that it started."""
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in spent)


if __name__ == "__main__":
    sys.exit(main())
