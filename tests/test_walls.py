"""The walls of the house: who may import whom. Read from the syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import yaml

from rehearsal.synthesis import NOT_SYNTHESIZED_FROM

ROOT = Path(__file__).parents[1]
# A package imports from lower floors, and from itself; never from its neighbours.
FLOORS = {
    "domain": 1,
    "cloudformation": 2,
    "stages": 2,
    "optimizer": 3,
    "emulator": 3,
    "pipeline": 4,
    "rehearsal": 4,
    "examples": 4,
    "tools": 5,
    "app": 5,
}
PURE = ("optimizer.decide", "optimizer.model")
AWS_CLIENTS = ("boto3", "botocore")
# What a package, or what is reachable from it, must not import: the package and the forbidden library.
FORBIDDEN = [
    *((package, library) for package in PURE for library in AWS_CLIENTS),
    *(("optimizer", library) for library in ("aws_cdk", "constructs", "moto")),
    *(("domain", library) for library in ("aws_cdk", "boto3", "botocore", "moto")),
    *((package, "moto") for package in FLOORS if package not in ("emulator", "rehearsal", "tools")),
    ("emulator", "aws_cdk"),
]


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Every module of the packages on the floors, by its dotted name."""
    files = [path for package in FLOORS for path in ((root / package).rglob("*.py"))]
    files += [root / f"{package}.py" for package in FLOORS if (root / f"{package}.py").is_file()]
    return {".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def imports_of(path: Path, known: Mapping[str, Path]) -> Iterator[tuple[str, bool]]:
    """The imports of a module, each with whether it runs at run time: not under `if TYPE_CHECKING`."""
    for name, at_run_time in _names(ast.parse(path.read_text()), at_run_time=True):
        yield (name if name in known or "." not in name else _longest(name, known)), at_run_time


def _longest(name: str, known: Mapping[str, Path]) -> str:
    """`package.module.symbol` is an import of `package.module`."""
    while "." in name and name not in known:
        name = name.rpartition(".")[0]
    return name


def _names(node: ast.AST, *, at_run_time: bool) -> Iterator[tuple[str, bool]]:
    for child in ast.iter_child_nodes(node):
        types_only = isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
        if isinstance(child, ast.Import):
            yield from ((each.name, at_run_time) for each in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.module is not None, "imports are absolute here"
            yield from ((f"{child.module}.{each.name}", at_run_time) for each in child.names)
        yield from _names(child, at_run_time=at_run_time and not types_only)


MODULES = modules()
IMPORTS = {name: set(imports_of(path, MODULES)) for name, path in MODULES.items()}


def top(name: str) -> str:
    return name.partition(".")[0]


def wrong_way(imports: Mapping[str, set[tuple[str, bool]]]) -> list[str]:
    """Imports that run up or to a neighbour."""
    return [
        f"{name} imports {other}"
        for name, found in sorted(imports.items())
        for other, _ in sorted(found)
        if top(other) in FLOORS and top(other) != top(name) and FLOORS[top(other)] >= FLOORS[top(name)]
    ]


def circle(imports: Mapping[str, set[tuple[str, bool]]]) -> list[str]:
    """Modules that import each other in a circle; empty when none do. A package and its modules are apart."""
    graph = {
        name: {other for other, _ in found if other in imports and other != name} for name, found in imports.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def reaches(package: str, library: str, imports: Mapping[str, set[tuple[str, bool]]]) -> list[str]:
    """The way from a package's modules to a library by imports at run time; empty when there is none."""
    ways = {name: [name] for name in imports if name == package or name.startswith(f"{package}.")}
    waiting = list(ways)
    while waiting:
        name = waiting.pop()
        for other, at_run_time in sorted(imports[name]):
            if at_run_time and top(other) == library:
                return [*ways[name], other]
            if at_run_time and other in imports and other not in ways:
                ways[other] = [*ways[name], other]
                waiting.append(other)
    return []


def test_synthesis_imports_nothing_that_its_cache_leaves_out():
    left_out = [path.replace("/", ".") for path in NOT_SYNTHESIZED_FROM]
    assert all(any(name.startswith(f"{package}.") for name in MODULES) for package in left_out)
    reached, waiting = {"app"}, ["app"]
    while waiting:
        found = {other for other, at_run_time in IMPORTS[waiting.pop()] if at_run_time and other in IMPORTS} - reached
        reached |= found
        waiting += found
    assert "optimizer.action" in reached
    assert [name for name in reached if name.startswith(tuple(left_out))] == []


def test_no_import_runs_up_or_to_a_neighbour():
    assert wrong_way(IMPORTS) == []


def test_no_modules_import_each_other_in_a_circle():
    assert circle(IMPORTS) == []


@pytest.mark.parametrize(("package", "library"), FORBIDDEN)
def test_what_a_package_must_not_reach(package, library):
    assert reaches(package, library, IMPORTS) == []


def test_moto_is_imported_by_the_emulator_alone():
    importing = {top(name) for name, found in IMPORTS.items() for other, _ in found if top(other) == "moto"}
    assert importing <= {"emulator"}


@pytest.mark.parametrize(
    ("name", "added", "check"),
    [
        ("domain.clock", "optimizer.action", wrong_way),
        ("emulator.account", "optimizer.action", wrong_way),
        ("optimizer.action", "emulator.account", wrong_way),
        ("optimizer.cli.verbs", "rehearsal.command", wrong_way),
        ("optimizer.model.phase", "optimizer.model.plan", circle),
    ],
)
def test_a_wrong_import_is_found(name, added, check):
    assert name in IMPORTS
    assert check({**IMPORTS, name: {*IMPORTS[name], (added, True)}})


def test_a_library_behind_another_module_is_found():
    planted = {
        **IMPORTS,
        "optimizer.decide.health": {*IMPORTS["optimizer.decide.health"], ("optimizer.ports.aws", True)},
    }
    assert reaches("optimizer.decide", "boto3", planted)[-1].startswith("boto3")


def test_every_line_of_the_table_of_faults_stands_once() -> None:
    """A changed line takes its faults along: mend the row in benchmarks/campaigns/mutants.yaml, try it by its id."""
    moved = [
        f"{each['id']} in {group['file']}: {each['from']!r}"
        for group in yaml.safe_load((ROOT / "benchmarks" / "campaigns" / "mutants.yaml").read_text())
        for each in group["faults"]
        if not (file := ROOT / group["file"]).exists() or file.read_text().count(each["from"]) != 1
    ]
    assert moved == []
