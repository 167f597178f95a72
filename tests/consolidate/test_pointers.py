"""Pointers are turned under the lease: a call of a run that lost it never has the last word."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import LeaseLost, MoveFailed
from optimizer.consolidate import cutover
from optimizer.consolidate.state import MergeStage
from optimizer.consolidate.switches import ATTEMPTS, is_blocked, read_pointers, to_sources, to_target, turn_pointers
from tests.consolidate import campaign
from tests.consolidate.model import refusal
from tests.consolidate.platform import MERGE, MemoryNotes, lived


class Leased(MemoryNotes):
    """Notes under a lease that another process can take."""

    lost = False

    def write(self, document: Any) -> None:
        self.hold()
        super().write(document)

    def hold(self) -> None:
        if self.lost:
            raise LeaseLost("taken over")


def failing(aws: Any, codes: list[str]) -> list[str]:
    """Let Parameter Store refuse that many calls; yields the pointers that were requested."""
    put, called = aws.ssm_once.put_parameter, []

    def put_parameter(**asked: Any) -> Any:
        called.append(asked["Name"])
        if codes:
            raise refusal(codes.pop(0), "PutParameter")
        return put(**asked)

    aws.ssm_once.put_parameter = put_parameter
    return called


def test_the_lease_is_held_right_before_each_attempt() -> None:
    with lived(10, 0) as platform:
        held: list[int] = []
        aws = platform.aws
        called = failing(aws, ["ThrottlingException"] * 3)
        turn_pointers(aws, MERGE, to_target(MERGE), lambda: held.append(len(called)))
        assert held == list(range(len(called)))
        assert read_pointers(aws, MERGE) == to_target(MERGE)


def test_a_run_that_lost_the_lease_while_it_was_throttled_turns_nothing_more() -> None:
    """Apply is throttled at its PutParameter; a rollback takes the lease, and returns; then apply goes on."""
    with lived(60, 3) as platform:
        campaign.copied(platform)
        notes = Leased()
        notes.text = platform.notes.text
        aws = platform.aws

        def rolled_back_meanwhile(**_: Any) -> Any:
            notes.lost = True
            others = MemoryNotes()
            others.text = notes.text
            campaign.turn_back(platform.aws, others)
            raise refusal("ThrottlingException", "PutParameter")

        aws.ssm_once.put_parameter = rolled_back_meanwhile
        with pytest.raises(LeaseLost):
            campaign.turn(aws, notes)
        assert cutover.is_turned_back(platform.aws, MERGE)


@pytest.mark.parametrize("after", [1.0, 60.0, 200.0, 290.0])
def test_a_call_that_was_on_its_way_when_the_lease_was_taken_is_undone(after: float) -> None:
    """The application that follows it finds the merged table denied, and loses nothing."""
    with lived(60, 3) as platform:
        campaign.migrate(platform)
        clock, turned, sleep = platform.clock, [], platform.clock.sleep

        def sleep_and_land(seconds: float) -> None:
            sleep(seconds)
            model = platform.aws.streams._answers._model
            if campaign.state_of(platform.notes).stage is MergeStage.RETURNING:
                turned.append(seconds)
                if sum(turned) >= after and not any(each == -1 for each in turned):
                    turned.append(-1)
                    model.pointers["/tap/tables/users"] = MERGE.target
                    platform.write(20)

        clock.sleep = sleep_and_land  # type: ignore[method-assign]
        campaign.turn_back(platform.aws, platform.notes)
        assert -1 in turned
        assert read_pointers(platform.aws, MERGE) == to_sources(MERGE)
        platform.application.busy = False
        campaign.agree(platform.missing_in_sources())


def test_a_pointer_that_is_throttled_all_the_time_is_an_error_and_the_next_run_goes_on() -> None:
    with lived(60, 3) as platform:
        campaign.copied(platform)
        aws = platform.aws
        failing(aws, ["ThrottlingException"] * 2 * ATTEMPTS)
        with pytest.raises(MoveFailed, match="could not be turned in 12 attempts"):
            campaign.turn(aws, platform.notes)
        campaign.turn(platform.aws, platform.notes)
        assert cutover.is_flipped(platform.aws, MERGE)
        platform.application.busy = False
        campaign.agree(platform.missing_in_target())


def test_a_pointer_that_may_not_be_turned_leaves_everything_as_it_was() -> None:
    with lived(60, 3) as platform:
        campaign.copied(platform)
        aws = platform.aws
        failing(aws, ["AccessDeniedException"])
        with pytest.raises(Exception, match="AccessDenied"):
            campaign.turn(aws, platform.notes)
        assert cutover.is_turned_back(aws, MERGE)
        assert not is_blocked(aws, "users")
        assert campaign.state_of(platform.notes).stage is MergeStage.COPIED
        platform.write(20)
        campaign.turn(platform.aws, platform.notes)
        platform.application.busy = False
        campaign.agree(platform.missing_in_target())
