"""The page shows the journal's values: a change of one value there changes the page."""

from dataclasses import replace
from decimal import Decimal

import pytest

from optimizer.dashboard.compose.decisions import criterion_row
from optimizer.dashboard.compose.page import view_of
from optimizer.dashboard.format import dollars, label_in
from optimizer.dashboard.view.page import View
from optimizer.dashboard.view.status import SavingState
from optimizer.execute.records import History, PhaseEvent, PhaseState, PlanRecord
from optimizer.model.decision import brief, guard
from optimizer.model.phase import Phase
from tests.dashboard import made_histories as made


def row(view: View, action: str) -> tuple[str, str, str, str, str]:
    found = next(each for each in view.decisions if each.action == action)
    return found.decision.text, found.state.text, found.assessment.text, found.saving, found.saving_note


@pytest.mark.parametrize(
    ("history", "fleet", "backups"),
    [
        (
            made.proposed(),
            ("Apply", "Waiting for approval", "Not judged", "$6,167.04", "possible"),
            ("Apply", "Waiting for approval", "Not judged", "$20.16", "possible"),
        ),
        (
            made.observing(),
            ("Apply", "In its window", "Healthy", "$6,167.04", "possible"),
            ("Apply", "Not begun", "Not judged", "$20.16", "possible"),
        ),
        (
            made.accepted(),
            ("Apply", "Accepted", "Healthy", "$6,167.04", "saved"),
            ("Apply", "Accepted", "Healthy", "$20.16", "saved"),
        ),
        (
            made.rolled_back(),
            ("Apply", "Rolled back", "Breach", "$6,167.04", "not taken"),
            ("Apply", "Not begun", "Not judged", "$20.16", "not taken"),
        ),
    ],
)
def test_a_row_says_decision_state_assessment_and_saving(
    history: History, fleet: tuple[str, ...], backups: tuple[str, ...]
) -> None:
    view = view_of(history)
    assert row(view, "fleet_rightsize") == fleet
    assert row(view, "aurora_backups") == backups


def test_a_veto_is_shown_with_its_reason_and_saves_nothing() -> None:
    history = made.observing()
    (phase,) = history.phases
    vetoed = replace(phase, vetoed={f"fleet_rightsize {made.FLEET_ARN}": "p95 CPU rose to 22 %"})
    view = view_of(replace(history, phases=(vetoed,)))
    assert row(view, "fleet_rightsize") == ("Apply", "Vetoed", "Not judged", "$6,167.04", "not taken")
    assert "p95 CPU rose to 22 %" in view.decisions[0].reason


def test_a_kept_decision_says_why_and_saves_nothing() -> None:
    view = view_of(made.kept())
    kept, unknown = view.decisions
    assert (kept.decision.text, kept.state.text, kept.saving) == ("Keep", "Left as it is", "–")
    assert "p95 CPU: 43.1 % (limit: below 20 %)" in kept.reason
    assert unknown.decision.text == "No data"
    assert unknown.criteria[0].observed == "no data"


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        (made.FLEET_ARN, "tap-fleet"),
        (made.DATABASE_ARN, "tap-database"),
        ("arn:aws:dynamodb:us-east-1:222222222222:table/users", "users"),
        ("arn:aws:dynamodb:us-east-1:222222222222:table/users/index/by-email", "users/index/by-email"),
        ("arn:aws:elasticache:us-east-1:222222222222:replicationgroup:tap-cache", "tap-cache"),
        ("arn:aws:elasticloadbalancing:us-east-1:222222222222:loadbalancer/app/tap/50dc6c495c0c9188", "tap"),
        ("no/arn:at all", "no/arn:at all"),
    ],
)
def test_a_resource_is_called_by_its_name(arn: str, name: str) -> None:
    assert label_in(arn) == name


def test_the_row_names_the_resource_and_keeps_its_arn() -> None:
    shown = view_of(made.accepted()).decisions[0]
    assert (shown.resource, shown.arn) == ("tap-fleet", made.FLEET_ARN)


def test_thresholds_have_their_unit_of_time() -> None:
    policy = dict(view_of(made.accepted()).policy)
    assert policy["period"] == "60 days"
    assert policy["window"] == "48 h"
    assert policy["fleet · cpu p95"] == "20"


def test_a_criterion_keeps_every_part() -> None:
    shown = criterion_row(guard("p95 CPU after", 44.4375, unit="%", at_most=60.0, source="x 3.75 x 1.5"))
    assert (shown.name, shown.origin, shown.observed, shown.comparison, shown.limit, shown.unit) == (
        "p95 CPU after",
        "guard",
        "44.44",
        "at most",
        "60",
        "%",
    )
    assert (shown.verdict.text, shown.source) == ("Met", "x 3.75 x 1.5")
    assert shown.share == pytest.approx(44.4375 / 60)


@pytest.mark.parametrize(
    ("observed", "limit", "text", "share"),
    [
        (None, {"below": 20.0}, "no data", None),
        (float("nan"), {"below": 20.0}, "no data", None),
        (True, {"equals": True}, "yes", None),
        (99.7, {"at_least": 95.0}, "99.7", None),  # a lower limit has no share
        (0, {"at_most": 0}, "0", None),
        (1_234_567, {"at_most": 2_000_000}, "1,234,567", 0.6172835),
    ],
)
def test_observed_values_are_worded(
    observed: float | None, limit: dict[str, float], text: str, share: float | None
) -> None:
    shown = criterion_row(brief("x", observed, **limit))
    assert shown.observed == text
    assert shown.share == (None if share is None else pytest.approx(share))


def test_what_was_rolled_back_is_not_counted_as_saved() -> None:
    costs = view_of(made.rolled_back()).costs
    assert costs is not None
    assert [each.state for each in costs.steps] == [SavingState.DROPPED, SavingState.DROPPED]
    assert costs.standing == costs.before == Decimal("31243.18")
    assert costs.planned == Decimal("25055.98")


def test_before_minus_the_steps_is_where_the_cost_stands() -> None:
    history = made.accepted()
    phase_2, phase_3 = history.phases
    history = replace(history, phases=(phase_2, replace(phase_3, state=PhaseState.ROLLED_BACK)))
    costs = view_of(history).costs
    assert costs is not None
    assert [each.state for each in costs.steps] == [SavingState.TAKEN, SavingState.DROPPED]
    assert costs.standing == Decimal("31243.18") - Decimal("6167.04")


def test_the_figures_name_before_after_and_difference() -> None:
    assert [(each.label, each.value) for each in view_of(made.accepted()).figures] == [
        ("Before the plan", "$31,243"),
        ("After what was accepted", "$25,056"),
        ("Saved", "$6,187"),
    ]


def test_the_year_is_the_timelines() -> None:
    view = view_of(made.accepted())
    assert view.timeline is not None
    assert view.figures[2].note == (
        f"a month; 20 % less; {dollars(view.timeline.expected)} so far, "
        f"{dollars(view.timeline.low)} projected by 29 Feb 2028"
    )
    assert view.timeline.low < 12 * Decimal("6187.20")


def test_the_figures_are_net_where_something_is_committed() -> None:
    before, after, saved = view_of(made.reserved()).figures
    assert (before.value, before.note) == ("$30,443", "a month, net of commitments; $31,243 at list price")
    assert (after.value, after.note) == ("$26,906", "a month, net; $25,056 measured in the account, at list price")
    assert saved.value == "$3,537"
    assert saved.note.startswith("a month, net; 12 % less; $")
    assert saved.note.endswith(" by 29 Feb 2028; $6,187 at list price, the rest by 15 Sep 2027")


def test_a_row_says_what_a_commitment_holds_back() -> None:
    fleet, backups = view_of(made.reserved()).decisions
    assert (fleet.saving, fleet.saving_note) == ("$6,167.04", "saved; $3,517.04 net at first")
    assert backups.saving_note == "saved"


def test_one_changed_value_in_the_journal_changes_the_page() -> None:
    history = made.proposed()
    assert history.record is not None
    dearer = made.plan(costs=replace(made.COSTS, before=Decimal("40000.00")))
    changed = replace(history, record=replace(history.record, plan=dearer))
    assert view_of(changed).figures[0].value == "$40,000"
    assert view_of(changed).plan_hash != view_of(history).plan_hash


def test_stations_follow_the_phases() -> None:
    assert [each.mark.text for each in view_of(made.rolled_back()).stations] == [
        "Done",
        "Approved",
        "Skipped",
        "Rolled back",
        "Not begun",
    ]
    assert [each.mark.text for each in view_of(made.held()).stations][1:] == ["Skipped"] * 4


def test_plan_hash_period_and_versions_are_there() -> None:
    view = view_of(made.accepted())
    facts = {each.label: each.value for each in view.facts}
    assert facts["Plan"] == view.plan_hash == made.plan().hash
    assert facts["Data"] == "31 Dec 2026 to 1 Mar 2027"
    assert facts["Sizing"] == "revision 2"
    assert facts["Code"] == "4f2a91c07be6"
    assert facts["Prices"] == "2026-11-23"


def test_lifted_guards_are_named() -> None:
    lifted = made.plan(policy={"lifted": ["fleet_rightsize/p95 CPU after"]})
    history = made.history(PlanRecord(lifted, made.PlanState.PROPOSED, made.START))
    assert {each.label: each.value for each in view_of(history).facts}["Guards set aside"] == (
        "fleet_rightsize/p95 CPU after"
    )


def test_events_are_told_in_order() -> None:
    history = made.rolled_back()
    view = view_of(replace(history, events=tuple(reversed(history.events))))
    assert [each.text for each in view.events] == [each.text for each in history.events]
    assert view.events[2].phase == f"Phase {Phase.COMPUTE.number}"
    assert view.events[0].at == "Mon 1 Mar 2027, 08:00 UTC"


def test_a_moves_event_has_the_title_of_its_action_and_plain_words() -> None:
    history = made.accepted()
    (at, *_), (action, *_) = (each.at for each in history.events), history.record.plan.actions
    texts = {
        f"{action.id}: turn it: over: intent": f"{action.title}: turn it: over: begun",
        f"{action.id}: turn it: done": f"{action.title}: turn it: done",
        f"{action.id}: what else: was said": f"{action.id}: what else: was said",
        "other: turn it: done": "other: turn it: done",
    }
    found = view_of(replace(history, events=tuple(PhaseEvent(at, Phase.COMPUTE, text) for text in texts))).events
    assert [each.text for each in found] == list(texts.values())
