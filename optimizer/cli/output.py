"""Folders that a verb writes into: one line when it cannot, before anything else is done."""

from __future__ import annotations

import tempfile
from pathlib import Path

from domain.errors import UsageError


def require_writable(folder: Path) -> None:
    """Make the folder if it is absent. Raises UsageError when no file can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"--out {folder} cannot be written ({error.strerror}): choose a folder of yours.") from error


def unwritable(error: OSError) -> str:
    """The line for a file that cannot be read or written."""
    return f"{error.filename or 'A file'} cannot be read or written ({error.strerror}): choose another file or folder."
