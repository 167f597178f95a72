"""Rules for every action, present and future: checked on the loaded foundation, over the registry."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import pytest

from domain.names import GOVERNED_TAG, GOVERNED_VALUE
from emulator.core.call_record import Call
from emulator.iam_actions import iam_actions
from optimizer.action import Action, Move, When
from optimizer.actions import ordered, registry
from optimizer.analyze.analysis import without_conflicts
from optimizer.decide.policy import Policy
from optimizer.execute.records import PhaseState
from optimizer.model.decision import Choice, Decision, Verdict
from optimizer.model.plan import Plan
from optimizer.model.resource import Governed, Kind, name_in
from optimizer.observe.inventory import take_inventory
from optimizer.ports.aws import Aws
from pipeline.roles import OBSERVE
from rehearsal.actors.tenant_tags import put_tags
from tests.actions.foundation import JOB, Foundation, loaded

# Actions with nothing to do on this foundation, each with the reason and where its contract is held instead.
KEEPS_EVERYTHING: Mapping[str, str] = {}
ACTIONS = [pytest.param(action, id=action.id) for action in registry()]
UNCONDITIONAL = {"aurora_backups"}  # the brief asks for it without a condition: no metric decides (docs/policy.md)
# Readers go before the writer's class: on the smaller class the one that stays would be too busy two months later.
BY_TURNS = sorted(registry(), key=lambda action: (action.phase.number, action.id == "aurora_writer"))
MEASURED = [pytest.param(action, id=action.id) for action in registry() if action.id not in UNCONDITIONAL]


pytestmark = pytest.mark.xdist_group("contract")  # one foundation for all of them


@pytest.fixture(scope="module")
def foundation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foundation]:
    with loaded(tmp_path_factory.mktemp("foundation")) as made:
        yield made


@pytest.mark.parametrize("action", ACTIONS)
def test_its_file_says_what_it_is(action: Action) -> None:
    module = importlib.import_module(f"optimizer.actions.{action.id}")
    assert module.ACTION is action
    told = (module.__doc__ or "").casefold()
    assert "saves" in told
    assert "risks" in told
    assert "undo" in told


@pytest.mark.parametrize("action", ACTIONS)
def test_its_permissions_are_narrow_and_sourced(action: Action) -> None:
    for each in action.permissions:
        assert each.source.startswith("https://docs.aws.amazon.com/"), each.action
        assert "*" not in each.action
        if each.writes:
            assert each.resources != ("*",) or each.conditions, f"{each.action} writes anywhere"


def test_order_and_conflicts_name_actions_that_exist_and_give_one_order() -> None:
    known = {action.id for action in registry()}
    for action in registry():
        assert {*action.order.after, *action.order.conflicts} - {action.id} <= known
        assert action.id not in (*action.order.after, *action.order.conflicts)
    assert ordered(reversed(registry())) == registry()


@pytest.mark.parametrize("action", ACTIONS)
def test_conflicting_actions_never_both_apply(action: Action) -> None:
    def apply(each: Action) -> Decision:
        return Decision(each.id, "one resource", Choice.APPLY, "", ())

    everybody = without_conflicts(registry(), [apply(each) for each in registry()])
    applied = {each.action for each in everybody if each.choice is Choice.APPLY}
    assert action.id not in applied or not applied & set(action.order.conflicts)
    assert applied


@pytest.mark.slow
@pytest.mark.parametrize("action", ACTIONS)
def test_without_data_nothing_is_applied(foundation: Foundation, action: Action) -> None:
    decided = {each.resource: each.choice for each in foundation.plan(action).decisions}
    with foundation.silent():
        governed = governed_of(foundation, action.kind)
        measured = foundation.measured(action, governed)
        for each in governed:
            decision = action.decide(action.collect(foundation.aws.at(each.region), each, measured), Policy())
            if action.id in UNCONDITIONAL:
                assert decision.choice is decided.get(each.arn, decision.choice), each.name
                continue
            failed = [c for c in decision.criteria if c.verdict is Verdict.FAIL]
            assert decision.choice is (Choice.KEEP if failed else Choice.NO_DATA), each.name
            assert Verdict.NO_DATA in {c.verdict for c in decision.criteria} or decided[each.arn] is Choice.KEEP


@pytest.mark.slow
@pytest.mark.parametrize("action", ACTIONS)
def test_a_dry_run_writes_nothing(foundation: Foundation, action: Action) -> None:
    plan = foundation.plan(action)
    before = len(foundation.account.calls)
    with foundation.account.acting(JOB):
        lines = foundation.life.preview(plan, action.phase)
    made = list(foundation.account.calls)[before:]
    assert [call.operation for call in made if call.mutating] == []
    assert bool(lines) is bool(plan.to_apply(action.phase))


@pytest.mark.slow
@pytest.mark.parametrize("action", ACTIONS)
def test_applied_and_rolled_back_it_is_as_before(foundation: Foundation, action: Action) -> None:
    plan = approved(foundation, action)
    wanted = plan.to_apply(action.phase)
    before, since = foundation.described(action, wanted), len(foundation.account.calls)
    assert before == {each.resource: each.before for each in wanted}
    with foundation.account.acting(JOB):
        foundation.life.apply(plan, action.phase)
    began = foundation.life.journal.moves(plan, action.phase)
    assert began
    assert not [each.name for each in began if each.one_way], "moves without a way back ran before acceptance"
    for _ in range(2):
        with foundation.account.acting(JOB):
            foundation.life.rollback(action.phase, "the contract asks")
        assert foundation.described(action, wanted) == before
    assert undeclared(action, foundation.calls(since)) == []


@pytest.mark.slow
@pytest.mark.parametrize("action", ACTIONS)
def test_a_resource_that_a_tenant_takes_after_approval_is_left_alone(foundation: Foundation, action: Action) -> None:
    plan = approved(foundation, action)
    wanted = plan.to_apply(action.phase)
    governed = foundation.resources(wanted)
    before, since = foundation.described(action, wanted), len(foundation.account.calls)
    with foundation.passing():
        for each in governed.values():
            put_tags(foundation.somebody, [each], each.name, {"TenantId:acme": "owner"})
        try:
            with foundation.account.acting(JOB):
                record = foundation.life.apply(plan, action.phase)
            assert record.state is PhaseState.EMPTY
            assert [call.operation for call in foundation.calls(since) if call.mutating] == []
        finally:
            for each in governed.values():
                take_tag_off(foundation, each, "TenantId:acme")
        assert foundation.described(action, wanted) == before


@pytest.mark.slow
@pytest.mark.parametrize("action", MEASURED)
def test_criteria_that_hold_no_more_veto(foundation: Foundation, action: Action) -> None:
    plan = approved(foundation, action)
    since = len(foundation.account.calls)
    with foundation.silent(), foundation.account.acting(JOB):
        record = foundation.life.apply(plan, action.phase)
    assert record.state is PhaseState.EMPTY
    assert len(record.vetoed or {}) == len(plan.to_apply(action.phase))
    assert [call.operation for call in foundation.calls(since) if call.mutating] == []


@pytest.mark.slow
@pytest.mark.parametrize("action", [pytest.param(action, id=action.id) for action in BY_TURNS])
def test_accepted_it_has_done_what_it_declares_and_says_so_in_the_sizing(
    foundation: Foundation, action: Action
) -> None:
    """The last test: accepted changes stay."""
    plan = approved(foundation, action)
    wanted = plan.to_apply(action.phase)
    since, sizing = len(foundation.account.calls), foundation.life.journal.sizing()
    governed = foundation.resources(wanted)
    with foundation.account.acting(JOB):
        moves = [(each, move) for each in wanted for move in action.moves(governed[each.resource], each.before, each)]
        reached = {name for name, move in shown_done(foundation, governed, moves)}
        foundation.life.apply(plan, action.phase)
        early = {name for name, move in shown_done(foundation, governed, moves) if move.when is When.ACCEPT}
        assert early <= reached, "moves without a way back were done by apply"
        foundation.account.clock.sleep(foundation.life.policy.window.total_seconds())
        foundation.life.accept(action.phase)
        foundation.life.reconciled()
    assert len(foundation.life.journal.moves(plan, action.phase)) == len(moves)
    assert foundation.life.journal.sizing().sizing != sizing.sizing
    assert undeclared(action, foundation.calls(since)) == []


def approved(foundation: Foundation, action: Action) -> Plan:
    plan = foundation.approved(action)
    if not plan.to_apply(action.phase):
        reason = KEEPS_EVERYTHING.get(action.id)
        why = "; ".join(each.reason for each in plan.decisions)
        assert reason, f"{action.id} keeps everything on this foundation, so nothing holds its contract: {why}"
        pytest.skip(reason)
    assert action.id not in KEEPS_EVERYTHING, f"{action.id} has something to do after all: no exception any more"
    return plan


def shown_done(
    foundation: Foundation, governed: Mapping[str, Governed], moves: Sequence[tuple[Decision, Move]]
) -> list[tuple[tuple[str, str], Move]]:
    """The moves whose end the account shows now, each with its resource and name."""
    return [
        ((decision.resource, move.name), move)
        for decision, move in moves
        if move.is_done(foundation.aws.at(governed[decision.resource].region))
    ]


def governed_of(foundation: Foundation, kind: Kind) -> list[Governed]:
    return list(take_inventory(foundation.aws, foundation.life.regions, kinds=(kind,)).governed)


def undeclared(action: Action, calls: list[Call]) -> list[str]:
    """The calls that the role would refuse: their IAM actions, and whether they write."""
    reads = [each.action for each in (*OBSERVE, *action.permissions)]
    writes = [each.action for each in action.permissions if each.writes]
    return sorted(
        {
            name
            for call in calls
            for name in iam_actions(call.service, call.operation, call.parameters)
            if not any(fnmatchcase(name, each) for each in (writes if call.mutating else reads))
        }
    )


def take_tag_off(foundation: Foundation, each: Governed, key: str) -> None:
    aws = foundation.somebody.at(each.region)
    match each.kind:
        case Kind.TABLE:
            aws.dynamodb.untag_resource(ResourceArn=each.arn, TagKeys=[key])
        case Kind.FLEET:
            tag = {"ResourceId": each.name, "ResourceType": "auto-scaling-group", "Key": key}
            aws.autoscaling.delete_tags(Tags=[tag])  # type: ignore[list-item]
        case Kind.CACHE:
            aws.elasticache.remove_tags_from_resource(ResourceName=each.arn, TagKeys=[key])
        case Kind.LOAD_BALANCER:
            aws.elbv2.remove_tags(ResourceArns=[each.arn], TagKeys=[key])
        case _:
            aws.rds.remove_tags_from_resource(ResourceName=each.arn, TagKeys=[key])


@pytest.mark.slow
def test_a_second_one_of_a_kind_is_kept_with_a_reason(foundation: Foundation) -> None:
    """After what was accepted, and last, because it stays: what the sizing does not name is nobody's to resize."""
    make_second_ones(foundation.somebody)
    sizing = foundation.life.journal.sizing().sizing
    decided = [each for each in foundation.plan(*registry()).decisions if name_in(each.resource).startswith("batch")]
    actions = foundation.life.actions
    assert {actions[each.action].kind for each in decided} == {Kind.FLEET, Kind.CACHE, Kind.TABLE}
    for each in decided:
        assert each.choice is Choice.KEEP
        assert "named in the sizing" in each.reason
        assert actions[each.action].resize(sizing, each) == sizing


def make_second_ones(aws: Aws) -> None:
    """A group, a cache and a table that are governed, as somebody makes them beside the foundation."""
    (first,) = aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["tap-fleet"])["AutoScalingGroups"]
    aws.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="batch-fleet",
        LaunchTemplate={"LaunchTemplateName": first["LaunchTemplate"]["LaunchTemplateName"], "Version": "1"},
        MinSize=1,
        MaxSize=2,
        VPCZoneIdentifier=first["VPCZoneIdentifier"],
        Tags=[{"Key": GOVERNED_TAG, "Value": GOVERNED_VALUE, "PropagateAtLaunch": True}],
    )
    tags = [{"Key": GOVERNED_TAG, "Value": GOVERNED_VALUE}]
    aws.elasticache.create_replication_group(
        ReplicationGroupId="batch-cache",
        ReplicationGroupDescription="Batches",
        Engine="redis",
        CacheNodeType="cache.r6g.large",
        NumNodeGroups=2,
        ReplicasPerNodeGroup=1,
        Tags=tags,  # type: ignore[arg-type]
    )
    aws.dynamodb.create_table(
        TableName="batches",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        Tags=tags,  # type: ignore[arg-type]
    )
