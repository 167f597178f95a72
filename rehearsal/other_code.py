"""A job whose folder holds other code than this process: a separate process, which calls the account over HTTP."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.account import EmulatedAccount

RUN = ("optimizer/**/*.py", "domain/*.py", "cloudformation/*.py")  # the code of the verbs
HERE = Path(__file__).parents[1]


def is_other_code(folder: Path) -> bool:
    """Whether the folder holds the project with code that differs from this process's."""
    return (folder / "optimizer" / "__main__.py").is_file() and code_hash(folder.resolve()) != code_hash(HERE)


@lru_cache(maxsize=64)
def code_hash(folder: Path) -> str:
    """Hash of the modules that the verbs run; a folder's code is read once."""
    digest = hashlib.sha256()
    paths = {path for pattern in RUN for path in folder.glob(pattern)}
    for path in sorted(paths):
        digest.update(f"\0{path.relative_to(folder).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def run_other_code(account: EmulatedAccount, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the folder's `python -m optimizer`; returns its exit code. Its output is printed."""
    from emulator.http_server import serving  # only here needs moto's server

    with serving(account, 0, lambda _verb: environ) as port:
        command = [sys.executable, "-m", "optimizer", "rehearse", "exec", str(port), "--", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr, end="")  # noqa: T201 -- the job's log
    return done.returncode
