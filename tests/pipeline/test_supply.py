"""Jobs with a production role install only packages locked by hash, all of which are in the applied code's archive."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from domain.errors import Refused
from optimizer.execute.applied_code import LOCK, locked, require_wheels

PROJECT = Path(__file__).parents[2]
LOCKS = sorted((PROJECT / "requirements").glob("*.txt"))
JOBS = sorted((PROJECT / "buildspecs").glob("*.yml"))


def installing(job: Path) -> list[str]:
    """The commands by which a job installs packages of Python."""
    phases: dict[str, Any] = yaml.safe_load(job.read_text())["phases"]
    return [each for phase in phases.values() for each in phase.get("commands", ()) if " pip " in each]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.stem)
def test_a_job_installs_by_hash_from_a_lock_of_the_repository(job: Path) -> None:
    commands = installing(job)
    assert commands
    for command in commands:
        if "--no-deps --no-index" in command:  # the project itself
            continue
        assert "--require-hashes" in command
        (lock,) = re.findall(r"-r (?:applied/)?(\S+)", command)
        assert (PROJECT / lock).is_file()


def test_analyze_and_apply_of_a_plan_have_one_lock() -> None:
    locks = {job: set(re.findall(r"-r (\S+)", " ".join(installing(PROJECT / f"buildspecs/{job}.yml")))) for job in MADE}
    assert set(map(frozenset, locks.values())) == {frozenset({LOCK})}


MADE = ("analyze", "approve", "apply", "publish")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_has_a_hash_for_each_package_and_names_no_place(lock: Path) -> None:
    text = lock.read_text()
    entries = re.split(r"^(?=\S+==)", text, flags=re.MULTILINE)[1:]
    assert len(entries) > 20
    assert all("--hash=sha256:" in each for each in entries)
    assert not re.search(r"://|index-url|find-links|file:|/opt/", text)


def test_the_locks_agree_and_hold_what_the_project_asks_for() -> None:
    versions = [dict(re.findall(r"^(\S+)==(\S+)", lock.read_text(), re.MULTILINE)) for lock in LOCKS]
    for one in versions:
        for other in versions:
            assert all(one[name] == other[name] for name in one.keys() & other.keys())
    asked = (PROJECT / "setup.py").read_text()
    pinned = dict(re.findall(r'"([a-z0-9-]+)(?:\[[^]]*\])?==(\d[^"]*)"', asked))
    everything = {name: version for each in versions for name, version in each.items()}
    wrong = {name for name, want in pinned.items() if name in everything and not _fits(everything[name], want)}
    assert wrong == set()


def _fits(version: str, wanted: str) -> bool:
    return version == wanted or (wanted.endswith("*") and version.startswith(wanted.removesuffix("*")))


def source(folder: Path, wheels: dict[str, bytes], lock: dict[str, bytes]) -> Path:
    """A job's folder: wheels, and a lock with the hashes of these contents (and of a missing file)."""
    for name, content in wheels.items():
        (folder / "wheels").mkdir(exist_ok=True)
        (folder / "wheels" / f"{name}.whl").write_bytes(content)
    (folder / LOCK).parent.mkdir()
    (folder / LOCK).write_text(
        "".join(
            f"{name} \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{hashlib.sha256(content).hexdigest()}\n"
            for name, content in lock.items()
        )
    )
    return folder


@pytest.mark.parametrize(
    ("wheels", "lacks"),
    [
        ({"a": b"a", "b": b"b"}, None),
        ({"a": b"a"}, "b==2"),
        ({"a": b"a", "b": b"another"}, "b==2"),  # the right name, and other bytes
        ({}, None),  # a checkout
    ],
)
def test_nothing_is_applied_by_code_that_could_not_be_installed_again(
    tmp_path: Path, wheels: dict[str, bytes], lacks: str | None
) -> None:
    folder = source(tmp_path, wheels, {"a==1": b"a", "b==2": b"b"})
    if lacks is None:
        require_wheels(folder)
    else:
        with pytest.raises(Refused, match=lacks):
            require_wheels(folder)


def test_the_lock_of_the_jobs_is_read_whole() -> None:
    found = dict(locked(PROJECT))
    assert {"boto3", "numpy", "pydantic"} <= {name.partition("==")[0] for name in found}
    assert all(found.values())
