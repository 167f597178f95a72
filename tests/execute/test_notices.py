"""Notices of a phase, each of which is sent once."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from optimizer.execute import notifications as notices
from optimizer.execute.records import Acceptance, PhaseRecord, PhaseState
from optimizer.model.health import Assessment, Doubt, Health
from optimizer.model.phase import Phase
from tests.execute.conftest import START

NOW = START + timedelta(days=10)
OBSERVING = PhaseRecord(Phase.COMPUTE, PhaseState.OBSERVING, START, window_end=NOW + timedelta(hours=1))
UNCLEAR = replace(OBSERVING, assessment=Assessment(Health.INCONCLUSIVE, "no data"))
SEEN = replace(OBSERVING, assessment=Assessment(Health.INCONCLUSIVE, "3 % of connections refused", Doubt.SERVICE))


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


@pytest.mark.parametrize(
    ("record", "subjects"),
    [
        (OBSERVING, []),
        (replace(UNCLEAR, unclear_since=NOW - hours(5.9)), []),
        (replace(UNCLEAR, unclear_since=NOW - hours(6)), ["cannot be judged"]),
        (replace(SEEN, unclear_since=NOW - hours(6)), ["is held: the service needs a look"]),
        (replace(OBSERVING, window_end=NOW - hours(23.9)), []),
        (replace(OBSERVING, window_end=NOW - hours(24)), ["waits to be accepted"]),
        (replace(OBSERVING, state=PhaseState.ROLLING_BACK, since=NOW - hours(1.9)), []),
        (replace(OBSERVING, state=PhaseState.ROLLING_BACK, since=NOW - hours(2)), ["is still being rolled back"]),
        (replace(OBSERVING, state=PhaseState.ROLLED_BACK), ["was rolled back"]),
        (replace(OBSERVING, state=PhaseState.ACCEPTED), []),
        (replace(OBSERVING, state=PhaseState.WAITING), []),
    ],
)
def test_what_a_phase_calls_for(record: PhaseRecord, subjects: list[str]) -> None:
    found = list(notices.due([record], NOW))
    assert [each.subject for each in found] == [f"tap: phase 2 (EC2 and Redis) {each}" for each in subjects]
    assert all("What to do: " in each.text for each in found)
    assert all(re.search(r"`python -m optimizer |console, p|Request more", each.text) for each in found)


@pytest.mark.parametrize(
    "record",
    [
        replace(OBSERVING, state=PhaseState.ROLLING_BACK, since=NOW - hours(2)),
        replace(UNCLEAR, unclear_since=NOW - hours(6)),
        replace(OBSERVING, window_end=NOW - hours(24)),
    ],
)
def test_what_still_stands_is_said_once_a_day(record: PhaseRecord) -> None:
    keys = [next(notices.due([record], NOW + hours(passed))).key for passed in (0, 23, 24, 47, 48)]
    assert len(set(keys)) == 3


def test_only_a_breach_after_an_acceptance_is_told() -> None:
    acceptance = Acceptance("abc", Phase.COMPUTE, START)
    assert notices.afterwards(acceptance, Assessment(Health.HEALTHY, "")) is None
    assert notices.afterwards(acceptance, Assessment(Health.INCONCLUSIVE, "")) is None
    notice = notices.afterwards(acceptance, Assessment(Health.BREACH, "p99 300 ms"))
    assert notice is not None
    assert "Nothing is rolled back by itself" in notice.text


def test_subjects_are_what_sns_takes() -> None:
    records = [
        replace(OBSERVING, phase=phase, state=state, since=START, unclear_since=START)
        for phase in Phase
        for state in PhaseState
    ]
    subjects = [each.subject for each in notices.due(records, NOW)]
    subjects.append(notices.gate_expired(Phase.COMPUTE, "x", asked_again=True).subject)
    assert all(each.isascii() and len(each) <= notices.SUBJECT_LIMIT for each in subjects)


def test_a_notice_is_published_once_and_again_when_publishing_failed(world) -> None:
    world.listen()
    life = world.fresh()
    plan = world.approved()
    notice = notices.rolled_back(replace(OBSERVING, state=PhaseState.ROLLED_BACK, reason="p99 rose"))
    gone = "arn:aws:sns:us-east-1:111111111111:gone"
    with pytest.raises(life.tooling.sns.exceptions.NotFoundException):
        notices.send([notice], plan.hash, life.journal, life.tooling, gone)
    for _ in range(2):
        notices.send([notice], plan.hash, life.journal, life.tooling, world.topic)
    assert [each["Subject"] for each in world.mail()] == [notice.subject]


def test_without_a_topic_nobody_is_told_and_nothing_is_remembered(world) -> None:
    plan, life = world.approved(), world.fresh()
    notice = notices.rolled_back(OBSERVING)
    assert notices.send([notice], plan.hash, life.journal, life.tooling, None) == []
    assert life.journal.mails_sent(plan.hash) == frozenset()


def test_what_the_watch_found_is_told_once_in_the_same_words() -> None:
    first, again = (notices.tending_found(Phase.NON_CRITICAL, "an item cannot lie in the sources") for _ in range(2))
    assert first == again
    assert first.key != notices.tending_found(Phase.NON_CRITICAL, "another item cannot").key
    assert "an item cannot lie in the sources" in first.text
