"""Errors as AWS answers them."""

from __future__ import annotations


class AwsError(Exception):
    """An error as AWS answers it. `code` is the code on the wire, as in `ClientError.response`."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
