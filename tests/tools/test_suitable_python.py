"""A Python that is too old is reported before anything is made; a virtual environment of a wrong one is replaced."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OLD = """#!/bin/sh
exec {python} -c 'import sys, runpy; sys.version_info = (3, 9, 2, "final", 0); sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")' "$@"
"""


def make(target: str, venv: Path, python: Path | str, *options: str) -> subprocess.CompletedProcess[str]:
    command = ["make", *options, target, f"VENV={venv}", f"PYTHON={python}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_python_that_is_too_old_is_told_before_anything_is_made(tmp_path: Path) -> None:
    done = make("setup", tmp_path / "venv", script(tmp_path / "python3.9", OLD.format(python=sys.executable)))
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "PYTHON=python3.12" in done.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("inside", ["#!/bin/sh\nexit 1\n", None])
def test_a_virtual_environment_of_a_wrong_python_is_replaced(tmp_path: Path, inside: str | None) -> None:
    venv = tmp_path / "venv"
    venv.mkdir()
    (venv / ".python").touch()
    if inside:
        script(venv / "bin" / "python", inside)
    done = make("setup", venv, sys.executable, "-n")
    assert "is made anew" in done.stderr
    assert not venv.exists()
    assert f"-m venv {venv}" in done.stdout


def test_a_good_virtual_environment_stays(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    script(venv / "bin" / "python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    done = make("setup", venv, sys.executable, "-n")
    assert "made anew" not in done.stderr
    assert (venv / "bin" / "python").exists()
