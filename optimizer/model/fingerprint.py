"""A short name for a content: the same for the same one, so that a second run finds what the first one made."""

from __future__ import annotations

import hashlib
import json


def fingerprint(content: object, digits: int = 12) -> str:
    """So many hexadecimal digits for whatever JSON can tell; the order of keys does not count."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:digits]
