"""Single-line faults, made one by one in a copy of the tree, each of which a test must see.

The table is mutants.yaml. Each fault names the tests closest to it; the test that saw it last is kept in killers.json
and runs first, so that a fault takes a second or two. docs/faults-in-code.md says which test sees which fault.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from benchmarks.campaigns.campaign import ROOT, Campaign, Extent, Row, Size

TABLE = Path(__file__).with_suffix(".yaml")
KILLERS = Path(__file__).with_name("killers.json")
PAGE = ROOT / "docs" / "faults-in-code.md"
LOSSES = ("data", "accepted", "order")  # harms that a quick test must see
SAMPLE = ("w01", "k03")  # tried in every run of the tests
ASKED = 0.95  # share of all faults that some test must see


HEAD = """# Single-line faults, and the test that sees each

Made by the campaign of the faults (`benchmarks/campaigns/mutants.py`) from its table and its last run; do not edit.

Each fault of `benchmarks/campaigns/mutants.yaml` is made in a copy of the tree, one at a time; then a quick test must
fail. Harm: what the fault could do
(`data` is lost, a phase is `accepted` wrongly, moves are undone in the wrong `order` or not at all, or `other`).

| Id | File | Harm | Seen by |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Mutant:
    """One fault: `before` occurs once in `file`. `tests` run until the first fails."""

    id: str
    file: str
    harm: str
    before: str
    after: str
    tests: tuple[str, ...]
    seen_by: str  # the test that saw it last; empty where none did

    @property
    def can_be_made(self) -> bool:
        """Whether its line still occurs exactly once."""
        path = ROOT / self.file
        return path.exists() and path.read_text().count(self.before) == 1

    def text(self) -> str:
        """The file's text with the fault."""
        return (ROOT / self.file).read_text().replace(self.before, self.after)


def mutants() -> list[Mutant]:
    """The whole table, in its order."""
    seen_by = killers()
    return [
        Mutant(
            *(each["id"], group["file"], each["harm"], each["from"], each["to"], tuple(each["tests"])),
            seen_by.get(each["id"], ""),
        )
        for group in yaml.safe_load(TABLE.read_text())
        for each in group["faults"]
    ]


def killers() -> dict[str, str]:
    """The test that saw each fault in the last whole run, by the fault's id."""
    found: dict[str, str] = json.loads(KILLERS.read_text())
    return found


def keep(by: Mapping[str, str]) -> None:
    """Store the test that sees each of these faults, and make the page."""
    kept = {**killers(), **by}
    known = {each.id for each in mutants()}
    KILLERS.write_text(json.dumps({id: kept[id] for id in sorted(kept) if id in known}, indent=1) + "\n")
    PAGE.write_text(page())


def page() -> str:
    """docs/faults-in-code.md: every fault, its harm, and the test that sees it."""
    lines = ((each.id, f"`{each.file}`", each.harm, _test(each.seen_by)) for each in mutants())
    return HEAD + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _test(name: str) -> str:
    return f"`{name.split('[')[0]}`" if name else "**none**"


def seen(chosen: list[Mutant], *, baseline: bool) -> dict[str, str]:
    """The test that sees each fault, by id; empty if none does.

    `baseline`: first run the tests without a fault. Raises RuntimeError if one fails then.
    """
    if gone := [each.id for each in chosen if not each.can_be_made]:
        raise RuntimeError(f"the lines of these faults are not in their files, exactly once: {', '.join(gone)}")
    jobs = [{**asdict(each), "text": each.text()} for each in chosen]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        asked, told = Path(folder, "jobs.json"), Path(folder, "told.jsonl")
        asked.write_text(json.dumps({"root": str(ROOT), "jobs": jobs, "baseline": baseline}))
        script = Path(__file__).with_name("mutation.py")
        # By its path, and isolated: a process that is forked for each fault must not have loaded the product.
        done = subprocess.run([sys.executable, "-P", str(script), str(asked), str(told)], check=False)
        answers = [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
    found = {each["id"]: str(each["by"]) for each in answers}
    if done.returncode or found.keys() != {each.id for each in chosen}:
        raise RuntimeError(f"the tests do not pass without any fault, or could not be run (exit {done.returncode})")
    return found


def run(size: Size) -> Row:
    table = mutants()
    chosen = [each for each in table if each.id in SAMPLE] if size.extent is Extent.SAMPLE else table
    by = seen(chosen, baseline=size.extent is not Extent.SAMPLE)
    if size.extent is not Extent.SAMPLE:
        keep(by)
    unseen = [each for each in chosen if not by[each.id]]
    losses = [each for each in unseen if each.harm in LOSSES]
    failures = [f"no quick test sees {each.id} ({each.harm}) in {each.file}" for each in losses]
    if len(chosen) - len(unseen) < ASKED * len(chosen):
        failures.append(f"of {len(chosen)} faults these are seen by no test: {', '.join(each.id for each in unseen)}")
    covered = f"{len(chosen)} of {len(table)} faults, {len(chosen) - len(unseen)} seen by a quick test"
    return Row(len(chosen), tuple(failures), covered)


CAMPAIGN = Campaign(
    title="Mutants",
    proves="a fault of one line in what executes, consolidates, decides and reconciles is seen by a quick test",
    cannot="faults that nobody thought of, and faults of more than one place",
    planted="faults that no quick test saw, for which tests were written then",
    run=run,
)

if __name__ == "__main__":
    wanted = set(sys.argv[1:])
    keep(seen([each for each in mutants() if not wanted or each.id in wanted], baseline=False))
