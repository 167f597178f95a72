"""The figures of a rehearsal, from made-up journal items and a made-up call record."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.sizing import Sizing, SizingRecord
from emulator.core.call_record import Call
from rehearsal.actors.tenant_tags import Owned, tenant_resources_touched
from rehearsal.journal_reader import JournalReader
from rehearsal.scenario import Expectation, Outcome
from rehearsal.summary import MonthlyCost, Summary, excluded_of, other_sizing, phases_of, reactions_of, unexpected

AT = datetime(2027, 3, 1, 8, tzinfo=UTC)


class Table:
    """A DynamoDB client over a dict of items."""

    def __init__(self, items: dict[tuple[str, str], dict[str, Any]]) -> None:
        self.items = items

    def get_item(self, *, TableName: str, Key: dict[str, dict[str, str]], ConsistentRead: bool) -> dict[str, Any]:  # noqa: N803
        item = self.items.get((Key["pk"]["S"], Key["sk"]["S"]))
        return {} if item is None else {"Item": item}


def decision(action: str, choice: str) -> dict[str, Any]:
    return {"action": action, "resource": f"arn:{action}", "choice": choice, "reason": "because"}


def journal(record: dict[str, Any], choice: str = "APPLY", held: str | None = None) -> JournalReader:
    plan = {
        "actions": [{"id": "fleet_rightsize", "phase": 2}, {"id": "aurora_backups", "phase": 3}],
        "decisions": [decision("fleet_rightsize", choice), decision("aurora_backups", "KEEP")],
        "excluded": [{"name": "tap-cache"}],
        "held": held,
    }
    document = zlib.compress(json.dumps({"hash": "h", "plan": plan}).encode())
    items: dict[tuple[str, str], dict[str, Any]] = {
        ("plan", "current"): {"hash": {"S": "h"}, "state": {"S": "approved"}},
        ("plan#h", "plan"): {"document": {"B": document}},
    }
    if record:
        items["plan#h", "phase#2"] = {"record": {"S": json.dumps(record)}}
    return JournalReader(Table(items), "tap-journal")


@pytest.mark.parametrize(
    ("record", "choice", "held", "expected"),
    [
        ({"state": "reconciled"}, "APPLY", None, Outcome.ACCEPTED),
        ({"state": "accepted"}, "APPLY", None, Outcome.ACCEPTED),
        ({"state": "rolled_back"}, "APPLY", None, Outcome.ROLLED_BACK),
        ({"state": "rolling_back"}, "APPLY", None, Outcome.HELD),
        ({"state": "observing"}, "APPLY", None, Outcome.HELD),
        ({"state": "empty"}, "APPLY", None, Outcome.KEPT),
        ({}, "KEEP", None, Outcome.KEPT),
        ({}, "NO_DATA", None, Outcome.KEPT),
        ({}, "APPLY", None, Outcome.SKIPPED),
        ({}, "KEEP", "12 days are too few", Outcome.SKIPPED),
    ],
)
def test_the_outcome_of_a_phase(record: dict[str, Any], choice: str, held: str | None, expected: Outcome) -> None:
    assert phases_of(journal(record, choice, held))[1].outcome is expected


def test_a_phase_without_actions_is_skipped_and_nothing_is_so_without_a_plan() -> None:
    assert phases_of(journal({}))[0].outcome is Outcome.SKIPPED
    assert [each.outcome for each in phases_of(JournalReader(Table({}), "t"))] == [Outcome.SKIPPED] * 3


def test_a_veto_is_the_action_s_outcome_with_its_reason() -> None:
    record = {"state": "empty", "vetoed": {"fleet_rightsize arn:fleet_rightsize": "CPU rose"}}
    (action,) = phases_of(journal(record))[1].actions
    assert (action.outcome, action.reason) == ("vetoed", "CPU rose")


def test_the_window_is_as_long_as_it_was_observed() -> None:
    record = {
        "state": "reconciled",
        "window_start": AT.isoformat(),
        "assessed_at": (AT + timedelta(hours=48)).isoformat(),
        "accepted_at": (AT + timedelta(hours=48, minutes=20)).isoformat(),
        "assessment": {"verdict": "HEALTHY", "reason": "as before"},
    }
    phase = phases_of(journal(record))[1]
    assert phase.window_hours == 48.33
    assert phase.assessment is not None
    assert phase.assessment.verdict == "HEALTHY"


def call(operation: str, error: str | None = None, at: datetime = AT, **parameters: Any) -> Call:
    return Call(
        number=1,
        at=at,
        account="222222222222",
        region="us-east-1",
        service="autoscaling",
        operation=operation,
        actor="Phase2.Apply",
        access_key="",
        read_parameters=lambda: parameters,
        forward=lambda *a: {},
        error=error,
    )


@pytest.mark.parametrize(
    ("made", "touched"),
    [
        (call("UpdateAutoScalingGroup", AutoScalingGroupName="tap-fleet"), 1),
        (call("CreateOrUpdateTags", Tags=[{"ResourceId": "arn:tap-fleet"}]), 1),
        (call("DescribeAutoScalingGroups", AutoScalingGroupNames=["tap-fleet"]), 0),
        (call("UpdateAutoScalingGroup", "AccessDenied", AutoScalingGroupName="tap-fleet"), 0),
        (call("UpdateAutoScalingGroup", AutoScalingGroupName="other"), 0),
        (call("UpdateAutoScalingGroup", at=AT - timedelta(days=1), AutoScalingGroupName="tap-fleet"), 0),
    ],
)
def test_a_tenant_s_resource_is_touched_by_a_change_that_landed_and_names_it(made: Call, touched: int) -> None:
    assert tenant_resources_touched([made], [Owned("tap-fleet", "arn:tap-fleet", AT)]) == touched


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, []),
        ({"next_deployment_changes": 3}, ["the next deployment would change 3 resources, expected were 0"]),
        ({"drift_differences": 2}, ["code and account differ in 2 properties, expected were 0"]),
        ({"tenant_resources_touched": 1}, ["1 resources of tenants were touched, expected were 0"]),
    ],
)
def test_each_difference_from_the_expectation_is_a_sentence(change: dict[str, int], told: list[str]) -> None:
    summary = Summary(
        **{
            "scenario": "quiet",
            "seed": 0,
            "phases": phases_of(journal({"state": "reconciled"})),
            "drift_differences": 0,
            "next_deployment_changes": 0,
            "tenant_resources_touched": 0,
            "monthly_cost": MonthlyCost(before=2, after=1, stranded=0),
            "api_calls": 1,
            "metric_calls": 1,
            "wall_seconds": 1.0,
            **change,
        }
    )
    phases = {"2": Outcome.ACCEPTED, "3": Outcome.KEPT}
    assert unexpected(summary, excluded_of(journal({})), Expectation(phases=phases, excluded=("tap-cache",))) == told
    wrong = Expectation(phases={"2": Outcome.KEPT}, drift_differences=None, tenant_resources_touched=0, excluded=("x",))
    assert "phase 2 is accepted, expected was kept" in unexpected(summary, frozenset(), wrong)
    assert "x is not listed as excluded" in unexpected(summary, frozenset(), wrong)
    stranded = unexpected(summary, frozenset(), Expectation(phases={}, stranded=100))
    assert "$0.00 a month are stranded in commitments, expected were $100.00" in stranded


def test_another_sizing_than_expected_is_told_part_by_part() -> None:
    designed = Sizing.AS_DESIGNED
    fleet = designed.fleet.model_copy(update={"desired": 14})
    found = SizingRecord(revision=1, sizing=designed.model_copy(update={"fleet": fleet}))
    assert other_sizing(found, None) == []
    assert other_sizing(None, designed) == []
    (told,) = other_sizing(found, designed)
    assert told.startswith("the sizing has fleet ")
    assert "desired=14" in told


def test_a_rollback_is_measured_from_the_newest_onset_before_it() -> None:
    def minute(number: int) -> datetime:
        return AT + timedelta(minutes=number)

    class Told:
        def first_event(self, words: str) -> datetime | None:
            return {"Phase 2 is rolled back": minute(42), "Phase 2 is as it was before": minute(90)}.get(words)

    (found,) = reactions_of(Told(), [minute(0), minute(12), minute(60)])  # type: ignore[arg-type]
    assert (found.phase, found.undo_after_minutes, found.restored_after_minutes) == (2, 30.0, 78.0)
    assert reactions_of(Told(), [minute(60)]) == (), "what came later is no reason"  # type: ignore[arg-type]
