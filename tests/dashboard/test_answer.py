"""The answer states what was done and what to do, for every state of the journal."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from optimizer.dashboard.compose.page import view_of
from optimizer.dashboard.view.status import Tone
from optimizer.execute.records import History, PhaseState, PlanState
from optimizer.model.health import Assessment, Doubt, Health
from tests.dashboard import made_histories as made


def in_phase_2(**changes: object) -> History:
    history = made.observing()
    (phase,) = history.phases
    return replace(history, phases=(replace(phase, **changes),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("history", "mark", "headline", "asked"),
    [
        (made.empty(), "No plan yet", "No plan has been made yet", None),
        (made.held(), "Held", "Nothing was changed, because the evidence is not enough yet", None),
        (made.kept(), "Kept", "Nothing will be changed: everything is kept as it is", None),
        (made.proposed(), "Waiting for approval", "2 changes would save $6,187 a month", "Approve or reject the plan"),
        (
            made.observing(),
            "In its window",
            "Phase 2 (EC2 and Redis) is being watched, and healthy so far",
            "Approve the gate after 3 Mar, 10:00 UTC",
        ),
        (made.accepted(), "Done", "Both changes were accepted: $6,187 a month saved", None),
        (
            made.reserved(),
            "Done",
            "Both changes were accepted: $3,537 a month saved now, $6,187 from 15 Sep 2027",
            None,
        ),
        (
            made.rolled_back(),
            "Rolled back",
            "Phase 2 (EC2 and Redis) was rolled back",
            "Find the cause, then propose anew",
        ),
        (
            in_phase_2(assessment=Assessment(Health.INCONCLUSIVE, "6 % of the window is missing")),
            "Held",
            "Phase 2 (EC2 and Redis) cannot be judged: it is held",
            "Find out why metrics are missing",
        ),
        (
            in_phase_2(assessment=Assessment(Health.INCONCLUSIVE, "refused connections: 3 %", Doubt.SERVICE)),
            "Held",
            "Phase 2 (EC2 and Redis) is held: the service needs a look",
            "Find the cause, then decide at the gate",
        ),
        (
            in_phase_2(assessment=Assessment(Health.BREACH, "p99 over its limit")),
            "Breach",
            "Phase 2 (EC2 and Redis) left its limits and is rolled back",
            None,
        ),
        (in_phase_2(state=PhaseState.APPLYING), "Applying", "Phase 2 (EC2 and Redis) is being applied", None),
        (
            in_phase_2(state=PhaseState.ROLLING_BACK),
            "Rolling back",
            "Phase 2 (EC2 and Redis) is being rolled back",
            None,
        ),
        (
            in_phase_2(state=PhaseState.RECONCILED),
            "Approved",
            "The plan is approved; Phase 3 (Aurora) is next",
            None,
        ),
    ],
)  # fmt: skip
def test_each_state_has_its_answer(history: History, mark: str, headline: str, asked: str | None) -> None:
    answer = view_of(history).answer
    assert (answer.mark.text, answer.headline) == (mark, headline)
    assert (answer.ask_title if answer.asks else None) == asked


def test_the_gate_is_asked_for_only_when_the_window_is_over() -> None:
    early = view_of(made.observing(), made.PHASE_2 + timedelta(hours=47)).answer
    late = view_of(made.observing(), made.PHASE_2 + timedelta(hours=48)).answer
    assert "does not count" in early.ask
    assert late.ask_title == "Approve or reject the gate"
    assert "does not count" not in late.ask


def test_what_comes_off_is_told_net_of_commitments_with_list_price_beside_it() -> None:
    lede = view_of(made.reserved()).answer.lede
    assert "From $30,443 to $26,906 a month net of commitments ($31,243 to $25,056 a month at list price)" in lede
    assert "the rest comes off as commitments end, by 15 Sep 2027" in lede


def test_once_the_commitments_have_ended_all_of_it_is_saved() -> None:
    answer = view_of(made.reserved(), datetime(2027, 9, 15, tzinfo=UTC)).answer
    assert answer.headline == "Both changes were accepted: $6,187 a month saved"
    assert answer.lede.startswith("From $31,243 to $25,056 a month at list price. ")


def test_a_proposal_does_not_promise_list_price() -> None:
    history = made.reserved()
    assert history.record is not None
    waiting = replace(history, record=replace(history.record, state=PlanState.PROPOSED), phases=(), realised=())
    assert view_of(waiting).answer.headline == "2 changes would save $3,537 a month now, $6,187 from 15 Sep 2027"


def test_one_way_changes_are_named_before_anybody_approves() -> None:
    assert "One-way at acceptance: Shorten Aurora backups." in view_of(made.proposed()).answer.ask


def test_a_rollback_says_why_and_what_did_not_begin() -> None:
    answer = view_of(made.rolled_back()).answer
    assert answer.mark.tone is Tone.BAD
    assert answer.lede.startswith("p99 latency over +20 % of expected in 16 of the last 24 periods")
    assert "Phase 3 did not begin." in answer.lede
    assert "Nothing is saved yet." in answer.lede


@pytest.mark.parametrize("name", made.ALL)
def test_no_situation_is_without_words(name: str) -> None:
    view = view_of(made.ALL[name]())
    assert view.answer.headline
    assert view.answer.lede
    assert view.answer.ask
    for rows, words in (
        (view.decisions, view.decisions_empty),
        (view.windows, view.windows_empty),
        (view.excluded, view.excluded_empty),
        (view.costs, view.costs_empty),
    ):
        assert rows or words
