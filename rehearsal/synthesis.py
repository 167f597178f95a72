"""Synthesis through a cache: `python app.py` takes seconds, and makes the same for the same sources and sizing."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from domain.errors import OptimizerError

# Sources of app.py: its own layers, and of the optimizer the actions and their imports. The rehearsal and the
# optimizer's own command line have no part in synthesis (tests/test_walls.py).
SYNTHESIZED_FROM = (
    "app.py",
    "cdk.json",
    "setup.py",
    "package.json",
    "pipeline",
    "stages",
    "domain",
    "cloudformation",
    "buildspecs",
    "optimizer",
)
NOT_SYNTHESIZED_FROM = ("optimizer/cli", "optimizer/dashboard", "optimizer/reconcile", "optimizer/survey")
KINDS = (".py", ".json", ".yaml", ".yml")

# The pushed commit, as a folder shows it: everything except build outputs, installed packages and caches.
NOT_SOURCE = (
    ".git",
    ".venv",
    ".rehearsal",
    ".ci",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    "__pycache__",
    "node_modules",
    "build",
    "cdk.out",
    "rehearsal-out",
    "sizing.json",
    "*.egg-info",
)


class SynthesisFailed(OptimizerError):
    """`python app.py` ended with an error; its output is the message."""


@dataclass(frozen=True)
class Synthesis:
    """Runs app.py, or takes the assembly of an earlier run from `cache`."""

    cache: Path

    def run(self, sources: Path, environ: Mapping[str, str]) -> Path:
        """Synthesize in the folder `sources`, with its sizing.json if there is one, to its `cdk.out`.

        Raises SynthesisFailed with app.py's own words.
        """
        kept = self.cache / fingerprint(sources, environ)
        out = sources / "cdk.out"
        if not kept.is_dir():
            _synthesize(sources, environ)
            _keep(out, kept)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(kept, out)
        return out


def copy_sources(project: Path, to: Path) -> None:
    """The project's files as in a push."""
    shutil.copytree(project, to, ignore=shutil.ignore_patterns(*NOT_SOURCE), dirs_exist_ok=True)


def lay_out(project: Path, to: Path) -> Path:
    """A folder that reads like the project: its own files at the top, links to the project's folders.

    New files at the top stay here. Nothing may write below a link: that would change the project.
    """
    to.mkdir(parents=True)
    for path in project.iterdir():
        if path.is_dir():
            (to / path.name).symlink_to(path.resolve(), target_is_directory=True)
        else:
            shutil.copy2(path, to / path.name)
    return to


def fingerprint(sources: Path, environ: Mapping[str, str]) -> str:
    """A hash over everything that synthesis depends on."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {version('aws-cdk-lib')}".encode())
    for path in sorted(_inputs(sources)):
        digest.update(f"\0{path.relative_to(sources).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    for name, file in (("TAP_SIZING", "sizing.json"), ("TAP_ENVIRONMENT", "")):
        named = sources / environ.get(name, file)
        if named.is_file():
            digest.update(f"\0{name}\0".encode())
            digest.update(named.read_bytes())
    names = [name for name in sorted(environ) if name == "TAP_ENVIRONMENT" or name.startswith("CDK_CONTEXT")]
    digest.update(repr([(name, environ[name]) for name in names]).encode())
    return digest.hexdigest()[:32]


def _inputs(sources: Path) -> Iterator[Path]:
    left_out = [sources / each for each in NOT_SYNTHESIZED_FROM]
    for name in SYNTHESIZED_FROM:
        root = sources / name
        for path in [root] if root.is_file() else root.rglob("*"):
            if path.suffix in KINDS and path.is_file() and not any(path.is_relative_to(each) for each in left_out):
                yield path


def _synthesize(sources: Path, environ: Mapping[str, str]) -> None:
    quiet = {
        "CDK_VALIDATION": "false",  # twice as fast; strict synthesis is a separate check
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
    }
    kept = {name: value for name, value in environ.items() if name not in ("CDK_OUTDIR", "PYTHONPATH")}
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=sources, env={**kept, **quiet}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SynthesisFailed(f"`python app.py` ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _keep(out: Path, kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    arriving = kept.with_name(f"{kept.name}.{uuid.uuid4().hex}")
    shutil.copytree(out, arriving)
    try:
        arriving.rename(kept)  # complete or not at all: rehearsals run side by side
    except OSError:
        shutil.rmtree(arriving)  # another process was quicker, with the same content
