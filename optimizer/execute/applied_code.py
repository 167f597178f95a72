"""The code that applies a phase, kept beside the journal: whoever undoes it runs that code, not the newest.

The archive holds the commit as the job got it and, under `wheels/`, all packages it was installed
from. It is filed under the hash of its bytes; the journal says which one applied last, and
`pipeline/applied_version.py` fetches it.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from domain.errors import Refused
from optimizer.execute.records import CodeVersion
from optimizer.ports.aws import Aws

VERSIONS = "versions/"
LOCK, WHEELS = "requirements/jobs.txt", "wheels"
MADE = frozenset(
    {"__pycache__", "build", "node_modules", "out", "cdk.out"}
)  # by installing, by the job: not the commit
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest a ZIP can say: the same files are the same bytes


def keep(tooling: Aws, bucket: str | None, source: Path | None, revision: str) -> CodeVersion | None:
    """File the code in `source`, before anything is changed by it. None without a bucket, or without a source.

    The same code again is one more version of the same object.
    Raises Refused, before anything is filed, where its wheels are not all that the lock names.
    """
    if bucket is None or source is None:
        return None
    require_wheels(source)
    body = archive(source)
    digest = hashlib.sha256(body).hexdigest()
    key = f"{VERSIONS}{digest}.zip"
    tooling.s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/zip")
    return CodeVersion(digest, key, revision)


def archive(source: Path) -> bytes:
    """A ZIP of the folder's files, the same for the same files. Links, such as inputs of the job, stay out.

    Nothing is compressed: nearly all of it are wheels, which are that already.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as zipped:
        for path in sorted(_files(source)):
            zipped.writestr(zipfile.ZipInfo(path.relative_to(source).as_posix(), LONG_AGO), path.read_bytes())
    return packed.getvalue()


def require_wheels(source: Path) -> None:
    """Raises Refused where a package of the lock is not among the wheels, or is not what the lock's hashes say.

    What undoes the phase installs from them alone. A folder without any is a checkout, from which a person applies.
    """
    wheels = source / WHEELS
    if not wheels.is_dir():
        return
    there = {hashlib.sha256(path.read_bytes()).hexdigest() for path in wheels.glob("*.whl")}
    missing = [name for name, hashes in locked(source) if not there & hashes]
    if missing:
        raise Refused(
            f"The wheels beside the code lack {', '.join(missing)} as {LOCK} has them: what applies could not be "
            "undone by its own code. Download them anew by that file."
        )


def locked(source: Path) -> list[tuple[str, frozenset[str]]]:
    """The packages of the lock, each with its version and the hashes it may have. Raises Refused without a lock."""
    if not (source / LOCK).is_file():
        raise Refused(f"The code has no {LOCK}, by which the jobs install it.")
    entries = re.split(r"^(?=\S+==)", (source / LOCK).read_text(), flags=re.MULTILINE)
    names = (entry.split()[0] for entry in entries if "==" in entry)
    hashes = (frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)) for entry in entries if "==" in entry)
    return list(zip(names, hashes, strict=True))


def _files(source: Path) -> Iterator[Path]:
    for folder, below, names in os.walk(source):
        below[:] = [
            name for name in below if name not in MADE and not name.startswith(".") and not name.endswith(".egg-info")
        ]
        for name in names:
            if not (path := Path(folder, name)).is_symlink():
                yield path
