"""The process behind mutants.py: it forks once for each fault, with the libraries loaded and without the product.

python -P mutation.py JOBS ANSWERS
"""

from __future__ import annotations

import compileall
import contextlib
import importlib
import importlib.util
import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

MODELS = "autoscaling cloudwatch dynamodb ec2 elasticache elbv2 events iam kms rds s3 sns sqs ssm sts"
LIBRARIES = (
    *("boto3", "hypothesis", "moto.core", "numpy", "plotly", "pydantic", "pytest", "rich", "typer", "yaml"),
    *(f"moto.{name}.{part}" for name in MODELS.split() for part in ("models", "responses")),
)
LEFT_OUT = (".git", "node_modules", ".venv", "cdk.out", ".rehearsal", "rehearsal-out", "out", "__pycache__")
QUICK = "not slow and not campaign and not spark"
NOTHING_FAILED = (0, 4, 5)  # all passed; no such test; no test was left
LONGEST = 300  # seconds for one fault's tests: a test that hangs has seen the fault


class FirstFailure:
    """A pytest plugin that remembers which test failed first."""

    def __init__(self) -> None:
        self.test = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.test:
            self.test = report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and not self.test:
            self.test = f"{report.nodeid} (not collected)"


def main(asked: Path, told: Path) -> int:
    order = json.loads(asked.read_text())
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="mutants-tree-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(order["root"], tree, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
        if Path(order["root"], "node_modules").exists():
            (tree / "node_modules").symlink_to(Path(order["root"], "node_modules").resolve())
        compileall.compile_dir(tree, quiet=2)
        firsts = sorted({job["seen_by"] for job in order["jobs"] if job["seen_by"]})
        if order["baseline"] and (failed := tested(tree, firsts, 0)):
            print(f"without any fault: {failed}", file=sys.stderr)
            return 1
        with told.open("w") as answers:
            for job in order["jobs"]:
                by = with_fault(tree, job)
                answers.write(json.dumps({"id": job["id"], "by": by}) + "\n")
                answers.flush()
                print(f"{job['id']:6} {by or 'SURVIVED'}", file=sys.stderr, flush=True)
    return 0


def with_fault(tree: Path, job: dict[str, Any]) -> str:
    """The test that fails first with the fault in place; empty if none does."""
    path = tree / job["file"]
    whole = path.read_text()
    path.write_text(job["text"])
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
    try:
        return (tested(tree, [job["seen_by"]], LONGEST) if job["seen_by"] else "") or tested(
            tree, job["tests"], LONGEST
        )
    finally:
        path.write_text(whole)


def tested(tree: Path, tests: list[str], longest: int) -> str:
    """Run these tests in a child; returns the first that failed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(longest)
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        os.chdir(tree)
        sys.dont_write_bytecode = bool(longest)
        sys.path.insert(0, str(tree))
        import pytest

        first = FirstFailure()
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-m", QUICK, *tests], plugins=[first])
        os.write(write, (first.test or ("" if code in NOTHING_FAILED else f"pytest ended with {code}")).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        test = answer.read()
    _, status = os.waitpid(child, 0)
    return test if os.waitstatus_to_exitcode(status) == 0 else "it hangs or dies"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
