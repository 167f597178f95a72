"""Plain English: words of an old dialect that strangers do not understand stand in nothing that people read.

Read are the documentation, every message and docstring of the code, the page's template and the buildspecs. Each entry
has what to write instead.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "domain",
    "optimizer",
    "pipeline",
    "rehearsal",
    "stages",
    "cloudformation",
    "emulator",
    "tools",
    "benchmarks",
    "examples",
)
DOCUMENTS = ("*.md", "docs/*.md", "docs/adr/*.md", "optimizer/dashboard/templates/*.html", "buildspecs/*.yml")

OLD_DIALECT = {
    r"(is|are|was|were|be|been) asked(?! for)\b": "name who checks or reads what: `the gate opens again`",
    r"asks? (it )?anew|asked anew": "the gate opens again",
    r"people are told|a person is told": "people get a mail, a mail is sent",
    r"(is|are|was|were) told\b": "gets, reads, is notified, is printed",
    r"is (none|yes|no) asked|at most [\w.]+ (\w+ )?asked\b": "(limit: at most 60 %), (must be none)",
    r"what is asked of (you|whom|the)": "what to do, what the application must do",
    r"beacons?": "watermark",
    r"log of high volume": "high-volume log",
    r"no cent from nowhere|second hand in it": "say what happens",
}


def documents() -> Iterator[tuple[str, str]]:
    """Place and text of every document."""
    for pattern in DOCUMENTS:
        for path in sorted(ROOT.glob(pattern)):
            for number, line in enumerate(path.read_text().splitlines(), start=1):
                yield f"{path.relative_to(ROOT)}:{number}", line


@cache
def code() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """All messages and docstrings of the code, and the docstrings alone, each with its place."""
    texts, docstrings = [], []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            place = path.relative_to(ROOT).as_posix()
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Constant(value=str() as text) if " " in text:
                        texts.append((f"{place}:{node.lineno}", text))
                    case ast.Module() | ast.ClassDef() | ast.FunctionDef() if text := ast.get_docstring(node):
                        docstrings.append((f"{place}:{getattr(node, 'name', '')}", text))
    return texts, docstrings


@cache
def lines() -> list[tuple[str, str]]:
    """Place and text of all that people read, each in one line."""
    return [(place, " ".join(text.split())) for place, text in (*documents(), *code()[0])]


def test_a_docstring_says_first_what_a_thing_is_or_does() -> None:
    """Not `What the plan costs`, but `The cost of the plan`."""
    riddle = re.compile(r"(What|Whatever|Whoever|Who|Whose|Where|How|As far|Of)\b")
    assert [f"{place}: {text[:80]}" for place, text in code()[1] if riddle.match(text)] == []


@pytest.mark.parametrize("words", OLD_DIALECT)
def test_nothing_that_people_read_is_in_the_old_dialect(words: str) -> None:
    pattern = re.compile(words, re.IGNORECASE)
    found = [f"{place}: {text[:140]!r}" for place, text in lines() if pattern.search(text)]
    assert found == [], f"write instead: {OLD_DIALECT[words]}"


def test_the_list_sees_what_it_is_for() -> None:
    old = (
        "is read together with another table, and is no log of high volume: no, is yes asked",
        "fullest shard after: 82, at most 60 asked",
        "The watch is asked again",
        "a breach then is told and exits 3",
    )
    assert all(any(re.search(words, text) for words in OLD_DIALECT) for text in old)
