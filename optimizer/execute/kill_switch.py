"""The kill switch: one parameter beside the journal that stops the optimizer at its next call.

It is read when a verb that changes something begins, and again right before each change. What it
says decides alone: a value that is none of the three stops everything, and one that cannot be read
is an AWS error, which stops the run as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from domain.errors import Stopped
from optimizer.ports.aws import Aws


class SwitchPosition(Enum):
    """GO: work. UNDO: nothing new, but what was begun may be undone. STOP: nothing at all."""

    GO = "go"
    UNDO = "undo"
    STOP = "stop"


@dataclass(frozen=True)
class KillSwitch:
    """The parameter, in the tooling account; without one (outside the pipeline) nothing is stopped."""

    tooling: Aws
    parameter: str | None

    def allow_change(self) -> None:
        """Raises Stopped unless the switch says go."""
        self._allow(SwitchPosition.GO)

    def allow_undo(self) -> None:
        """Raises Stopped when the switch says stop: not even the way back is gone then."""
        self._allow(SwitchPosition.GO, SwitchPosition.UNDO)

    def stops_all(self) -> bool:
        """Whether not even an undo is allowed: a person keeps everything where it is."""
        return self.position() not in (SwitchPosition.GO.value, SwitchPosition.UNDO.value)

    def position(self) -> str:
        """The parameter's value as it is now; go where there is no parameter."""
        if self.parameter is None:
            return SwitchPosition.GO.value
        return self.tooling.ssm.get_parameter(Name=self.parameter)["Parameter"]["Value"].strip()

    def _allow(self, *positions: SwitchPosition) -> None:
        if (position := self.position()) not in [each.value for each in positions]:
            raise Stopped(
                f"The parameter {self.parameter} says {position!r}: nothing is changed. "
                "Set it to go (or to undo, which lets a rollback through), then run the same command again."
            )
