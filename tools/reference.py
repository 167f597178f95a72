"""The reference pages of `docs/`, made from the code they describe: `python -m tools.reference`.

Each page names its source in its first line. A test compares the pages in `docs/` with a new
generation, so none can be out of date.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path

from botocore import xform_name

from optimizer.action import Action, Move, Permission, When
from optimizer.actions import registry
from optimizer.decide import policy
from tools.designed_moves import designed_moves

COMMAND = "python -m tools.reference"
PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"
HEALTH_FIGURES = PROJECT / "benchmarks" / "health-figures.json"
REACTION_FIGURES = PROJECT / "benchmarks" / "reaction-figures.json"
SHOWN_BY = 3  # tests named per operation of the overlay


def actions_page() -> str:
    """Every action: its time, its docstring, and its moves."""
    actions = registry()
    rows = [
        (f"[{each.id}](#{each.id})", f"{each.phase.number} · {each.phase.title}", each.title, _one_way(each))
        for each in actions
    ]
    index = _table(("Action", "Phase", "Title", "No way back at acceptance"), rows)
    return _joined([_head("Actions", "optimizer/actions/"), _ACTIONS, index, *map(_action, actions)])


def permissions_page() -> str:
    """Every permission that an action declares, and the rights of each role."""
    from tools.effective_rights import roles  # synthesizes the app, which takes seconds

    rows = [
        (
            each.id,
            f"`{permission.action}`",
            "<br>".join(f"`{pattern}`" for pattern in permission.resources) + _conditions(permission),
            "yes" if permission.writes else "",
            "yes" if permission.dependent else "",
            _link(permission.source),
        )
        for each in registry()
        for permission in each.permissions
    ]
    table = _table(("Action", "IAM action", "Resources", "Writes", "Dependent", "Source"), rows)
    parts = [_head("Permissions", "optimizer/actions/ and the synthesized roles"), _PERMISSIONS, table, _RIGHTS]
    for role in roles():
        parts += [f"### {role.name}", _table(("", "IAM action", "Resources", "If"), role.rows())]
    return _joined(parts)


def policy_page() -> str:
    """Every number that decides, with the comment that explains it."""
    source = _CommentedSource.of(inspect.getsource(policy))
    parts = [_head("Policy", "optimizer/decide/policy.py"), _POLICY]
    for part in source.tree.body:
        if isinstance(part, ast.ClassDef):
            rows = list(_numbers(part, getattr(policy, part.name)(), source))
            parts += [f"## {part.name}", ast.get_docstring(part) or "", _table(("Name", "Value", "Why"), rows)]
    parts += ["## How well the service's health is judged", _HEALTH, *_figures(HEALTH_FIGURES)]
    return _joined([*parts, "## How soon an incident is taken back", _REACTION, *_figures(REACTION_FIGURES)])


def _figures(measured: Path) -> Iterator[str]:
    """The tables that a benchmark measured; a regression that was not detected has no time."""
    for title, rows in json.loads(measured.read_text(encoding="utf-8")).items():
        yield f"### {title}"
        yield _table(
            tuple(name.capitalize() for name in rows[0]),
            [
                tuple(
                    "not found" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
                    for value in row.values()
                )
                for row in rows
            ],
        )


def overlay_page() -> str:
    """Every operation that the rehearsal answers instead of AWS, its rule, and the tests that call it."""
    from emulator.core.registry import operations  # the emulator is an extra, which the other pages do not need

    tests = [*_tests(PROJECT / "tests" / "emulator"), *_tests(PROJECT / "tests" / "rehearsal")]
    rows = [
        (each.service, each.operation, each.rule, _link(each.source), each.known_from, _tests_of(each.operation, tests))
        for _, each in sorted(operations().items())
    ]
    table = _table(("Service", "Operation", "As AWS does", "Source", "Known from", "Shown by"), rows)
    return _joined([_head("Overlay", "emulator/services/"), _OVERLAY, table])


_ACTIONS_BEGIN = "<!-- actions: made by `python -m tools.reference` -->"
_ACTIONS_END = "<!-- /actions -->"

PAGES: Mapping[str, Callable[[], str]] = {
    "actions.md": actions_page,
    "permissions.md": permissions_page,
    "policy.md": policy_page,
    "overlay.md": overlay_page,
}


def readme_with_actions(text: str) -> str:
    """The README with the generated table of actions."""
    rows = [
        (f"[{each.title}](docs/actions.md#{each.id})", f"{each.phase.number} · {each.phase.title}", _saves(each.id))
        for each in registry()
    ]
    table = _table(("Action", "Phase", "Saves"), rows)
    before, _, rest = text.partition(_ACTIONS_BEGIN)
    _, _, after = rest.partition(_ACTIONS_END)
    return f"{before}{_ACTIONS_BEGIN}\n{table.strip()}\n{_ACTIONS_END}{after}"


def _saves(action: str) -> str:
    """The sentence of an action's docstring about its saving."""
    text = " ".join((importlib.import_module(f"optimizer.actions.{action}").__doc__ or "").split())
    match = re.search(r"Saves (.+?)\.(?: |$)", text)
    return match[1] if match else ""


def write(folder: Path) -> list[Path]:
    """Generate every page; returns those whose text changed."""
    changed = []
    for name, page in PAGES.items():
        path, text = folder / name, page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def write_readme(path: Path) -> None:
    """Generate the README's table of actions."""
    path.write_text(readme_with_actions(path.read_text(encoding="utf-8")), encoding="utf-8")


_ACTIONS = """\
Each is one file, found by its name. Its text below is the file's own. Words in *italics* among the moves stand for what
the decision names. APPLY moves run when the phase is applied and can be undone throughout its window; ACCEPT moves run
only once the phase was accepted, and have no way back."""
_PERMISSIONS = """\
What the actions declare is what the role `tap-act` may do, besides reading the inventory; reads are also given to
`tap-analyze` and `tap-reconcile` (`pipeline/roles.py`). A dependent permission is one that AWS checks on the caller
without a call of ours. `{partition}`, `{account}` and `{region}` are filled in at synthesis, one ARN per Region."""
_RIGHTS = """\
## What each role can do

Policy, boundary and denials together, as the app is synthesized for an example of an environment. `{region}` stands for
each Region, a name in angle brackets for what a deployment names. What an organization's own policies take away is
known by asking the account. Change sets are narrowed by stack, by name and by the absence of a role, and not by
`cloudformation:ResourceTypes`: a request that names resource types cannot name capabilities
([API_CreateChangeSet](https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html),
[adr 0028](adr/0028-cloudformation-deploys-under-a-boundary.md))."""
_POLICY = """\
The brief's thresholds come first. Guards stand on top and can only say no; one is set aside only by naming it, as
`action/criterion`, in `lifted`, which is recorded with the plan.

"Why" begins with where a number comes from: **the brief** names it; it is **ours**, where the brief asks without naming
a limit or not at all; a **guard** is ours on top of the brief, from the arithmetic of the change; **AWS** sets it."""
_HEALTH = """\
Measured by `python benchmarks/health.py --write benchmarks/health-figures.json` on made services of several shapes:
judged every five minutes, and the first breach counts. Times are minutes from the onset, which is the beginning of
the window; the watch adds its own. With fewer requests, errors and p99 take longer to tell from chance: the table
by traffic says how long. The brief's limits are 0.5 % errors and +20 % p99. What is rolled back at +10 % and +15 %,
although within them, stands below "No fault of the change": p99 itself wanders by as much.

The recorded services follow four series of CloudWatch (Numenta Anomaly Benchmark, `realAWSCloudwatch`, which the
project does not hold): `--series DIR --labels combined_windows.json --only recorded --write ...`. A window "over its
own incident" has a stretch that is labelled as anomalous there, or had one in the week before. The database's CPU
doubles in one and stays so for three days: nothing tells it from a regression, so that it is rolled back, and no phase
starts in the week after it.

What no rule tells apart: an incident of the service's own in the window is rolled back. A nightly job of an hour by
UTC, beside office hours of Berlin, was rolled back in 3 windows of 60. Where the requests of five minutes scatter by
half, +25 % and +30 % take hours to be found, and now and then are missed; so is +25 % three days after an
improvement of 20 %, as the tables show. An unexpected
surge may hide a regression of up to its own share until it ends. A service with office hours alone is not accepted
by a window that lies in a weekend. A p99 below ten milliseconds that is known to whole ones alone is often refused,
and now and then rolled back."""
_REACTION = """\
Rehearsed by `python benchmarks/reaction.py --write benchmarks/reaction-figures.json`: one life of the whole pipeline
up to the first phase's window, forked for each incident (a scenario file of `benchmarks/incidents`) and onset. In it a
build runs its first command 90 s after it is asked for, a datapoint shows two minutes late, the schedule's ticks lie
half a minute before a period can be judged, and an incident strikes whole periods of five minutes, the nearest ones.
The aim is the median's, until the first undo call; the 95th percentile may be half as much again. "As before" ends with
what AWS takes to undo that phase: seconds here, and by phase what [actions.md](actions.md) says."""
_OVERLAY = """\
The emulated account is moto, and in front of it these operations, each as strict as AWS is. "Shown by" names tests
under `tests/emulator/` and `tests/rehearsal/` that call the operation. "Known from" is how far a rule can be trusted:
all are read in AWS's documentation alone until somebody runs `make parity` on a sandbox account."""


def _head(title: str, source: str) -> str:
    return f"<!-- Made from {source} by `{COMMAND}`; do not edit. -->\n# {title}"


def _action(action: Action) -> str:
    module = importlib.import_module(f"{registry.__module__}.{action.id}")
    moves = designed_moves()[action.id]
    after = ", ".join(f"`{each}`" for each in action.order.after) or "none"
    conflicts = ", ".join(f"`{each}`" for each in action.order.conflicts) or "none"
    return _joined(
        [
            f"## {action.id}",
            f"**{action.title}** · phase {action.phase.number}, {action.phase.title} · on each `{action.kind.value}`",
            inspect.getdoc(module) or "",
            f"- APPLY moves: {_moves(moves, When.APPLY)}\n"
            f"- ACCEPT moves: {_moves(moves, When.ACCEPT)}\n"
            f"- Comes after: {after}. Never on one resource with: {conflicts}.",
        ]
    )


def _moves(moves: Sequence[Move], when: When) -> str:
    return "; ".join(_without_hash(each.summary) for each in moves if each.when is when) or "none"


def _without_hash(text: str) -> str:
    """The text without the hash at the end of names, which differs between accounts."""
    return re.sub(r"-[0-9a-f]{8,12}\b", "-HASH", text)


def _one_way(action: Action) -> str:
    return "yes" if any(each.when is When.ACCEPT for each in designed_moves()[action.id]) else ""


def _conditions(permission: Permission) -> str:
    wanted = [
        f"{operator} `{key}` {value if isinstance(value, str) else ', '.join(value)}"
        for operator, keys in permission.conditions.items()
        for key, value in keys.items()
    ]
    return f"<br>if {' and '.join(wanted)}" if wanted else ""


@dataclass(frozen=True)
class _CommentedSource:
    """A source with its comments: those beside a line of code, and those with a line to themselves, by line."""

    tree: ast.Module
    beside: Mapping[int, str]
    alone: Mapping[int, str]

    @classmethod
    def of(cls, source: str) -> _CommentedSource:
        beside: dict[int, str] = {}
        alone: dict[int, str] = {}
        for token in tokenize.generate_tokens(StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                kept = alone if token.line.lstrip().startswith("#") else beside
                kept[token.start[0]] = token.string.lstrip("# ")
        return cls(ast.parse(source), beside, alone)

    def why(self, line: ast.stmt) -> str:
        """The comment beside a statement, else the ones right above it, else those of the constant it uses."""
        if beside := self.beside.get(line.end_lineno or line.lineno):
            return beside
        first = line.lineno
        while first - 1 in self.alone:
            first -= 1
        if first < line.lineno:
            return " ".join(self.alone[number] for number in range(first, line.lineno))
        taken = getattr(line, "value", None)
        constants = (each for each in self.tree.body if isinstance(each, ast.Assign))
        named = (each for each in constants if isinstance(taken, ast.Name) and _name(each.targets[0]) == taken.id)
        return next((self.why(each) for each in named), "")


def _numbers(part: ast.ClassDef, values: object, source: _CommentedSource) -> Iterator[tuple[str, str, str]]:
    for line in part.body:
        if isinstance(line, ast.AnnAssign):
            name = _name(line.target)
            yield f"`{name}`", _value_text(getattr(values, name)), source.why(line)


def _name(target: ast.expr) -> str:
    return target.id if isinstance(target, ast.Name) else ""


def _value_text(value: object) -> str:
    if isinstance(value, timedelta):
        days = value // timedelta(days=1)
        return f"{days} days" if days > 2 else f"{value // timedelta(hours=1)} hours"
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "none"
    if is_dataclass(value):
        name = type(value).__name__
        return f"[{name}](#{name.lower()})"
    return f"`{value!r}`"


def _tests(folder: Path) -> Iterator[tuple[str, str]]:
    """Every test in a folder: its file and name, and its source with the definitions it uses."""
    for path in sorted(folder.rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        lines = source.splitlines()
        defined = {name: each for each in ast.parse(source).body if (name := _defined(each))}
        for name in defined:
            if name.startswith("test_"):
                used = [defined[each] for each in _used(name, defined, set())]
                text = "\n".join(line for each in used for line in lines[each.lineno - 1 : each.end_lineno])
                yield f"{path.relative_to(folder).as_posix()}::{name}", text


def _defined(statement: ast.stmt) -> str:
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return ""


def _used(name: str, defined: Mapping[str, ast.stmt], seen: set[str]) -> set[str]:
    """A name and the names that it uses (fixtures are arguments), at any depth."""
    if name in defined and name not in seen:
        seen.add(name)
        for each in ast.walk(defined[name]):
            _used(each.id if isinstance(each, ast.Name) else getattr(each, "arg", None) or "", defined, seen)
    return seen


def _tests_of(operation: str, tests: Iterable[tuple[str, str]]) -> str:
    method = xform_name(operation)
    called = (f".{method}(", f'"{method}"', f'"{operation}"')
    found = [name for name, source in tests if any(each in source for each in called)]
    found.sort(key=lambda name: not name.startswith("overlay/"))
    return "<br>".join(f"`{name}`" for name in found[:SHOWN_BY])


def _link(source: str) -> str:
    return f"[{source.rsplit('/', 1)[-1].removesuffix('.html')}]({source})" if source else ""


def _joined(paragraphs: Iterable[str]) -> str:
    return "\n\n".join(each.strip("\n") for each in paragraphs) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    for made in write(DOCS):
        sys.stdout.write(f"{made}\n")
    write_readme(PROJECT / "README.md")
