"""Properties that must always hold, each as a check; with its protection disabled, the check fails.

The checks use the small world of `tests/execute/conftest.py`: one table, one test action.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudformation.assembly import Stack
from domain.errors import NotApproved, OptimizerError, PlanSuperseded, PlanTampered, TenantOwned, Unhealthy
from domain.names import GOVERNED_TAG, GOVERNED_VALUE
from domain.sizing import Sizing
from emulator.account import Crash
from optimizer.action import Permission, When
from optimizer.actions import registry
from optimizer.execute import lifecycle as verbs
from optimizer.execute.early_call import PERMISSIONS as EARLY_CALL
from optimizer.execute.engine import Engine
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import Purpose
from optimizer.execute.lifecycle import Lifecycle
from optimizer.execute.observation import Observation
from optimizer.execute.records import MoveState
from optimizer.model import decision
from optimizer.model.decision import Verdict, decide_by, guard
from optimizer.model.health import Assessment, Health
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan, load_plan
from optimizer.model.resource import Governed, Kind
from optimizer.observe import inventory
from optimizer.observe.inventory import owner_of
from optimizer.reconcile.drift import differences
from optimizer.resources.registry import resource_kinds
from pipeline import roles
from tests.actions.test_contract import undeclared
from tests.execute import conftest as small_world
from tests.execute.conftest import ACTION, ARN, TABLE, World
from tests.pipeline.permitted import permitted

pytestmark = pytest.mark.xdist_group("pipeline")  # two checks synthesize: beside the others that do

MakeWorld = Callable[..., World]
Patch = pytest.MonkeyPatch

make_world = small_world.make_world
DESIGNED = {"protected": False, "recovery": "DISABLED", "stream": False}
ACCEPTED = {"protected": True, "recovery": "ENABLED", "stream": True}


# 1. No resource owned by a tenant is ever changed; unknown counts as owned.


def tenants_are_left_alone(make_world: MakeWorld) -> None:
    world = make_world()
    plan = world.approved()
    world.tag("TenantId", "acme")
    world.fresh().apply(plan, Phase.COMPUTE)
    assert world.table() == DESIGNED, "a tenant's table was changed"


def tenants_tags_are_not_seen(off: Patch) -> None:
    off.setattr(inventory, "tenant_tag", lambda tags: None)


def tenants_are_left_alone_in_the_middle(make_world: MakeWorld) -> None:
    """The tag comes between the inventory and the change."""
    world = make_world()
    plan = world.approved()
    life = world.fresh()
    engine = life._engine(plan, Phase.COMPUTE, None)
    (planned,) = plan.decisions
    governed = engine.find([planned])[ARN]
    world.tag("TenantId", "acme")
    with suppress(TenantOwned), life.journal.lease(Purpose.APPLY, "test") as lease:
        pen = JournalWriter(life.journal, lease)
        change = engine.change(plan, Phase.COMPUTE, planned, governed, pen)
        engine.run(plan, Phase.COMPUTE, change, When.APPLY, pen)
    assert world.table() == DESIGNED, "a table was changed that a tenant had just taken"


def tags_are_not_read_again(off: Patch) -> None:
    off.setattr(Engine, "require_ours", lambda engine, change, move, pen: None)


def unknown_owners_count(make_world: MakeWorld) -> None:
    def unreadable(aws: Any, arn: str) -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "ListTagsOfResource")

    life = make_world().fresh()
    table = Governed(Kind.TABLE, TABLE, ARN, "us-east-1", {GOVERNED_TAG: GOVERNED_VALUE})
    with pytest.MonkeyPatch.context() as patch:
        kinds = dict(resource_kinds())
        kinds[Kind.TABLE] = replace(kinds[Kind.TABLE], tags=unreadable)
        patch.setattr(inventory, "resource_kinds", lambda: kinds)
        assert owner_of(life.production, table), "unreadable tags counted as no tenant's"


def unknown_is_nobodys(off: Patch) -> None:
    off.setattr(inventory, "unread", lambda error: inventory.OURS)


# 2. No data is never consent.


def no_data_is_no_reason_to_change(make_world: MakeWorld) -> None:
    world = make_world()
    plan = world.approved()

    def decide(before: Any, policy: Any) -> Any:
        return decide_by(ACTION.id, ARN, (guard("p95 CPU", None, at_most=60.0),), before=before, target={})

    life = replace(world.fresh(), actions={ACTION.id: replace(ACTION, decide=decide)})
    life.apply(plan, Phase.COMPUTE)
    assert world.table() == DESIGNED, "changed without data"


def what_was_not_measured_passes(off: Patch) -> None:
    criterion = decision._criterion

    def lenient(*arguments: Any) -> Any:
        found = criterion(*arguments)
        return replace(found, verdict=Verdict.PASS) if found.verdict is Verdict.NO_DATA else found

    off.setattr(decision, "_criterion", lenient)


def a_silent_window_is_not_accepted(make_world: MakeWorld) -> None:
    world = make_world()
    world.fresh().apply(world.approved(), Phase.COMPUTE)
    world.service.p99_ms, world.service.since = None, world.account.clock.now()
    world.account.clock.sleep(48 * 3600)
    with suppress(Unhealthy):
        world.fresh().accept(Phase.COMPUTE)
    assert world.table()["stream"] is False, "accepted without data"


def silence_is_health(off: Patch) -> None:
    """At the window's end, and right before each move of acceptance."""
    for name in ("since", "while_changing"):
        honest = getattr(Observation, name)

        def lenient(*arguments: Any, honest: Callable[..., Assessment] = honest) -> Assessment:
            found = honest(*arguments)
            return replace(found, verdict=Health.HEALTHY) if found.verdict is Health.INCONCLUSIVE else found

        off.setattr(Observation, name, lenient)


# 3. Nothing irreversible before acceptance.


def nothing_irreversible_before_acceptance(make_world: MakeWorld) -> None:
    world = make_world()
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    world.account.clock.sleep(47.9 * 3600)
    with suppress(Unhealthy):
        world.fresh().accept(Phase.COMPUTE)
    assert world.table()["stream"] is False, "a move without a way back ran before acceptance"


def every_move_runs_at_once(off: Patch) -> None:
    run = Engine.run

    def at_once(engine: Engine, plan: Plan, phase: Phase, change: Any, when: When, pen: JournalWriter) -> None:
        for each in When:
            run(engine, plan, phase, change, each, pen)

    off.setattr(Engine, "run", at_once)


def nobody_waits_for_the_window(off: Patch) -> None:
    off.setattr(Lifecycle, "_require_healthy", lambda life, plan, record: None)


# 4. A crash at any call leaves a state from which the next run finishes or undoes, exactly.


def a_crash_is_finished_or_undone(make_world: MakeWorld) -> None:
    """A crash right at the first change, and right after: one of the two is after it, before it is written down."""
    calls = _applied(make_world()).account.calls
    first = next(each.number for each in calls if each.actor == "apply" and each.operation == "UpdateTable")
    for number in (first, first + 1):
        world = _applied(make_world(crash_at=number))
        assert world.table() == {**ACCEPTED, "stream": False}, f"not finished after the crash at call {number}"
        with world.account.acting("rollback"):
            world.fresh().rollback(Phase.COMPUTE, "asked")
        assert world.table() == DESIGNED, f"not undone after the crash at call {number}"


def intents_are_not_written(off: Patch) -> None:
    move = JournalWriter.move

    def afterwards(pen: JournalWriter, plan: Plan, record: Any, state: MoveState) -> Any:
        return record if state is MoveState.INTENT else move(pen, plan, record, state)

    off.setattr(JournalWriter, "move", afterwards)


def _applied(world: World) -> World:
    """Applied as a job does it, and once more with everything new after a crash."""
    plan = world.approved()
    try:
        with world.account.acting("apply"):
            world.fresh().apply(plan, Phase.COMPUTE)
    except Crash:
        try:
            with world.account.acting("apply"):
                world.fresh().apply(plan, Phase.COMPUTE)
        except OptimizerError as error:
            raise AssertionError(f"not finished after the crash: {error}") from error
    return world


# 5. After acceptance, synthesis with the sizing record equals the account.


def code_and_account_agree(make_world: MakeWorld) -> None:
    world = make_world()
    world.fresh().apply(world.approved(), Phase.COMPUTE)
    world.account.clock.sleep(48 * 3600)
    world.fresh().accept(Phase.COMPUTE)
    life = world.fresh()
    found = differences([_synthesized(life.journal.sizing().sizing)], life.production.at).differences
    assert not found, f"{len(found)} differences between code and account"


def acceptance_leaves_the_sizing(off: Patch) -> None:
    off.setattr(Lifecycle, "_resized", lambda life, plan, decisions, engine: life.journal.sizing())


def acceptance_changes_nothing(off: Patch) -> None:
    run = Engine.run

    def applied_only(engine: Engine, plan: Plan, phase: Phase, change: Any, when: When, pen: JournalWriter) -> None:
        if when is When.APPLY:
            run(engine, plan, phase, change, when, pen)

    off.setattr(Engine, "run", applied_only)


def _synthesized(sizing: Sizing) -> Stack:
    """The small world's table as code: the test action's changes follow from the sizing it writes."""
    accepted = sizing.aurora.backup_retention_days == 14
    replica = {
        "Region": "us-east-1",
        "DeletionProtectionEnabled": accepted,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": accepted},
    }
    table = {
        "TableName": TABLE,
        "Replicas": [replica],
        **({"StreamSpecification": {"StreamViewType": "NEW_IMAGE"}} if accepted else {}),
    }
    template = {"Resources": {"Orders": {"Type": Kind.TABLE.value, "Properties": table}}}
    return Stack("small", "222222222222", "us-east-1", "", template, {})


# 6. What was approved is what runs.


def only_the_approved_plan_runs(make_world: MakeWorld) -> None:
    world = make_world()
    approved = world.approved()
    with suppress(PlanSuperseded, NotApproved):
        world.fresh().apply(replace(approved, covered_days=61.0), Phase.COMPUTE)
    assert world.table() == DESIGNED, "another plan ran than the approved one"


def any_plan_counts_as_approved(off: Patch) -> None:
    off.setattr(verbs, "require_approved", lambda journal, plan: None)


def an_edited_plan_is_refused(make_world: MakeWorld) -> None:
    document = json.loads(make_world().plan().dump())
    document["plan"]["decisions"][0]["target"] = {"more": "than was approved"}
    with suppress(PlanTampered):
        load_plan(json.dumps(document), "plan.json")
        raise AssertionError("an edited plan was read")


def the_hash_says_nothing(off: Patch) -> None:
    off.setattr(Plan, "hash", property(lambda plan: "the same for all"))


# 8. The act role can do what the actions declare, and nothing else.

DECLARED = tuple(
    Permission(f"dynamodb:{name}", writes=name.startswith("Update"))
    for name in ("DescribeContinuousBackups", "DescribeTable", "UpdateContinuousBackups", "UpdateTable")
)


def calls_are_declared(make_world: MakeWorld) -> None:
    world = make_world()
    plan = world.approved()
    action = replace(ACTION, permissions=DECLARED)
    with world.account.acting("apply"):
        replace(world.fresh(), actions={action.id: action}).apply(plan, Phase.COMPUTE)
    asked = [each for each in world.account.calls if each.account == world.account.production and each.number]
    missing = undeclared(action, asked)
    assert not missing, f"called without a permission: {missing}"


def a_permission_is_forgotten(off: Patch) -> None:
    off.setitem(globals(), "DECLARED", DECLARED[:-1])


def the_act_role_is_what_the_actions_declare(make_world: MakeWorld) -> None:
    may = permitted()["Allow", roles.ACT]
    declared = {each.action for each in (*roles.OBSERVE, *EARLY_CALL)}
    declared |= {permission.action for each in registry() for permission in each.permissions}
    assert may == declared, f"the act role differs: {sorted(may ^ declared)}"


def the_act_role_may_more(off: Patch) -> None:
    more = SimpleNamespace(permissions=(Permission("dynamodb:ImportTable", writes=True),))
    off.setattr(roles, "registry", lambda: (*registry(), more))


def the_act_role_may_less(off: Patch) -> None:
    off.setattr(roles, "registry", lambda: registry()[1:-1])


HOLDS = [
    (tenants_are_left_alone, [tenants_tags_are_not_seen], "a tenant's table was changed"),
    (tenants_are_left_alone_in_the_middle, [tags_are_not_read_again], "a tenant had just taken"),
    (unknown_owners_count, [unknown_is_nobodys], "unreadable tags counted as no tenant's"),
    (no_data_is_no_reason_to_change, [what_was_not_measured_passes], "changed without data"),
    (a_silent_window_is_not_accepted, [silence_is_health], "accepted without data"),
    (
        nothing_irreversible_before_acceptance,
        [every_move_runs_at_once, nobody_waits_for_the_window],
        "without a way back",
    ),
    (a_crash_is_finished_or_undone, [intents_are_not_written], "not finished after the crash"),
    (code_and_account_agree, [acceptance_leaves_the_sizing, acceptance_changes_nothing], "between code and account"),
    (only_the_approved_plan_runs, [any_plan_counts_as_approved], "another plan ran"),
    (an_edited_plan_is_refused, [the_hash_says_nothing], "an edited plan was read"),
    (calls_are_declared, [a_permission_is_forgotten], "UpdateTable"),
    (the_act_role_is_what_the_actions_declare, [the_act_role_may_more, the_act_role_may_less], "the act role differs"),
]
SWITCHED_OFF = [
    pytest.param(check, off, message, id=f"{check.__name__}-{off.__name__}")
    for check, offs, message in HOLDS
    for off in offs
]


@pytest.mark.parametrize("check", [pytest.param(check, id=check.__name__) for check, _, _ in HOLDS])
def test_it_holds(check: Callable[[MakeWorld], None], make_world: MakeWorld) -> None:
    check(make_world)


@pytest.mark.parametrize(("check", "switch_off", "message"), SWITCHED_OFF)
def test_with_the_protection_switched_off_the_check_fails(
    check: Callable[[MakeWorld], None],
    switch_off: Callable[[Patch], None],
    message: str,
    make_world: MakeWorld,
    monkeypatch: Patch,
) -> None:
    switch_off(monkeypatch)
    with pytest.raises(AssertionError, match=message):
        check(make_world)
