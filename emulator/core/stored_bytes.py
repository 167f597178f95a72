"""The bytes of stored objects, beside the process's memory: a plan's publication is 16 MB, and each is a version."""

from __future__ import annotations

import os
import tempfile
from typing import IO

HELD = 65_536  # bytes; an object up to this size stays in memory


class StoredBytes:
    """The value of one object: as much of a SpooledTemporaryFile as moto uses, which writes a value at once.

    The file has no name and goes with its last reader. The position is kept here: the system would share that of a
    file between a life and the lives that are forked from it.
    """

    def __init__(self, max_size: int = 0) -> None:  # noqa: ARG002 -- moto's limit, far above HELD
        self.truncate()

    def truncate(self) -> None:
        """Drop the value."""
        self._held = b""
        self._file: IO[bytes] | None = None
        self._size = self._position = 0

    def write(self, value: bytes) -> None:
        """Keep the value."""
        self._size = len(value)
        if self._size <= HELD:
            self._held = bytes(value)
            return
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 -- open for as long as the object is stored
        self._file.write(value)
        self._file.flush()

    def seek(self, position: int) -> None:
        """Read from there on."""
        self._position = position

    def read(self, size: int = -1) -> bytes:
        """The next bytes, `size` at most; all that are left if negative."""
        begin = self._position
        self._position = self._size if size < 0 else min(self._size, begin + size)
        if self._file is None:
            return self._held[begin : self._position]
        return os.pread(self._file.fileno(), self._position - begin, begin)

    def close(self) -> None:
        """Let the file go."""
        self.truncate()
