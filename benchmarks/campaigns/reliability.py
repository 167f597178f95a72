"""docs/reliability.md, made from the campaigns' declarations and the rows of their last run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.campaigns.campaign import ROOT, campaigns

FIGURES = Path(__file__).with_name("figures.json")
PAGE = ROOT / "docs" / "reliability.md"
HEAD = """# What was tried, and what it shows

Made from the campaigns in `benchmarks/campaigns/` (`python -m benchmarks.campaigns --write`); do not edit.

Each campaign tries one claim on many cases and ends in one row. `make test` runs a sample of each, `make campaign` a
larger part in at most 3,600 CPU s (it prints what it covered), `CAMPAIGN=all make campaign` everything. Each says on
which planted fault it was seen to fail. All of it is the emulated account: what AWS does otherwise shows in
`make parity` alone.

"""


def kept() -> dict[str, Any]:
    """The rows of the last stored run, by campaign."""
    found: dict[str, Any] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    return found


def page(rows: Mapping[str, Any]) -> str:
    """The page's text."""
    table = ["| Campaign | Cases | Failures | Covered |", "|---|--:|--:|---|"]
    told = []
    for name, each in campaigns().items():
        row = rows.get(name)
        figures = f"{row['cases']:,} | {row['failures']} | {row['covered']}" if row else "not run yet | |"
        table.append(f"| [{each.title}](#{each.title.lower().replace(' ', '-')}) | {figures} |")
        told.append(
            f"## {each.title}\n\n- Proves: {each.proves}.\n- Cannot show: {each.cannot}.\n"
            f"- Seen to fail on: {each.planted}.\n- Code: `benchmarks/campaigns/{name}.py`\n"
        )
    return HEAD + "\n".join(table) + "\n\n" + "\n".join(told)


def write(rows: Mapping[str, Any]) -> None:
    """Store the rows, and make the page."""
    FIGURES.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")
    PAGE.write_text(page(rows))
