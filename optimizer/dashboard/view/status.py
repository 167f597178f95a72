"""Status in a word or two, with its meaning."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Tone(Enum):
    """The meaning of a status. Never by colour alone: every tone comes with words and a sign."""

    GOOD = "good"
    ACTIVE = "active"
    WARN = "warn"
    BAD = "bad"
    QUIET = "quiet"


@dataclass(frozen=True)
class Mark:
    """A state in one or two words."""

    text: str
    tone: Tone


class SavingState(Enum):
    """TAKEN: its phase was accepted. PROJECTED: still to be decided. DROPPED: rolled back, vetoed or not begun.

    The values are the words of the page: money is `saved` once accepted, and `possible` before. What accepted changes
    save after the page's day is called `projected`.
    """

    TAKEN = "saved"
    PROJECTED = "possible"
    DROPPED = "not taken"
