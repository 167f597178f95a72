"""AWS's error answers."""

from __future__ import annotations


class AwsError(Exception):
    """An error answer of AWS. `code` is the code in `ClientError.response`."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
