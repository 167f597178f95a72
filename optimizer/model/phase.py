"""The three optimization phases, in the order in which they run."""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """One optimization phase. The value is the phase's number as used on the command line."""

    NON_CRITICAL = 1
    COMPUTE = 2
    DATABASE = 3

    @property
    def number(self) -> int:
        return self.value

    @property
    def stage_name(self) -> str:
        """The name of the pipeline stage that carries the phase out."""
        return f"Phase{self.value}"

    @property
    def title(self) -> str:
        """The phase in a person's words."""
        return {1: "DynamoDB", 2: "EC2 and Redis", 3: "Aurora"}[self.value]
