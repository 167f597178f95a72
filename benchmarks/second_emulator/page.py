"""docs/second-emulator.md: the tests in ministack, its differences from the emulated account, and which is right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.parity.asking import Answers, Script
from benchmarks.second_emulator.scripts import RUN

SEEN = Path(__file__).with_name("seen.json")
PAGE = Path(__file__).parents[2] / "docs" / "second-emulator.md"
HEAD = """# A second emulator

Made by `make second` from what it answered (`benchmarks/second_emulator/`); do not edit.

The emulated account is ours, so it could share our mistakes. [ministack](https://pypi.org/project/ministack/) {version}
is another emulator, written by others. The same moves and verbs run in both, whole, with our own code unchanged. It
takes no time for a change, evaluates no resource policy of a table and knows no quotas: where the two disagree, AWS's
page says who is right. The application that writes during a merge is refused by the script, where no policy is.

## What ran there

| What | Operations | Answers | As AWS's page says: emulated account | ministack |
|---|---|--:|--:|--:|
"""
DIFFERENCES = """
## Where they disagree

| What | Question | AWS's page | Emulated account | ministack | Right |
|---|---|---|---|---|---|
"""
NOT_RUN = """
## What it found

The emulated account made an index whose key's attribute the call did not define, and kept the resource policy of a
table that was deleted, for the next one of that name. Both are mended.

## What was not tried there

The moves of instances, caches and databases, and metrics and costs. Of those services it answers only what a phase asks
before it begins.
"""


def seen() -> dict[str, Any]:
    """Both emulators' answers in the last run: the version of ministack, and the answers by script."""
    found: dict[str, Any] = json.loads(SEEN.read_text())
    return found


def page(kept: Mapping[str, Any]) -> str:
    """The page's text."""
    ran, differ = [], []
    for name, script in RUN.items():
        both = kept["scripts"][name]
        ours, theirs = both["emulated"], both["second"]
        right = [sum(told[each] == script.documented[each] for each in script.documented) for told in (ours, theirs)]
        operations = ", ".join(f"`{each.split(':')[1]}`" for each in script.operations)
        ran.append(f"| {script.title} | {operations} | {len(script.documented)} | {right[0]} | {right[1]} |")
        differ += [_difference(script, each, ours, theirs) for each in script.documented if ours[each] != theirs[each]]
    return (
        HEAD.format(version=kept["version"]) + "\n".join(ran) + "\n" + DIFFERENCES + "\n".join(differ) + "\n" + NOT_RUN
    )


def _difference(script: Script, question: str, ours: Answers, theirs: Answers) -> str:
    wanted = script.documented[question]
    right = "emulated account" if ours[question] == wanted else "ministack" if theirs[question] == wanted else "neither"
    source = f"[{_word(wanted)}]({script.source})"
    return f"| {script.title} | {question} | {source} | {_word(ours[question])} | {_word(theirs[question])} | {right} |"


def _word(answer: object) -> str:
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    return "never" if answer is None else str(answer)


def write(version: str, scripts: Mapping[str, Any]) -> None:
    """Store the answers, and make the page."""
    SEEN.write_text(json.dumps({"version": version, "scripts": scripts}, indent=1, sort_keys=True) + "\n")
    PAGE.write_text(page(seen()))
