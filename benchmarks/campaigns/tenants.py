"""Random taggings of every resource that a move touches, at any time, readable or not, and the engine's reaction.

The foundation is loaded once and analyzed. Each case takes one move of the plan, tags a part of its resource (found
by the campaign's own reads of the account), hides it or makes reading fail, before the move, between its two checks,
or before its undo. The move itself only records that it ran, so that a case takes milliseconds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from botocore.exceptions import ClientError

from benchmarks.campaigns.campaign import Campaign, Row, Size
from domain.errors import OwnerUnread, TenantOwned
from domain.indexes import SOURCES
from emulator.core.errors import AwsError
from emulator.core.registry import Emulated, operations
from optimizer.action import Move, NoNotes, When
from optimizer.actions import registry
from optimizer.execute.engine import Engine, ResourceChange
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import Purpose
from optimizer.model.decision import Decision
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.model.resource import Governed, Kind
from optimizer.resources.tables.table import sibling
from tests.actions.foundation import JOB, Foundation, loaded

TENANTS = ("TenantId", "tenantid", "TENANTID", "TenantId:acme", "tenantId:42", " TenantId")
NOBODYS = ("TenantIdentity", "MyTenantId", "Tenant", "tenant:id", "owner")
PASSING = ("ThrottlingException", "InternalFailure", "ServiceUnavailable")
OF_BOTH = ("streams", "copy", "compare", "flip", "stop")  # moves of a consolidation that touch both sources
# The operations that read tags, by the service in an ARN or the kind of an id.
READS: dict[str, tuple[tuple[str, str], ...]] = {
    "autoscaling": (("autoscaling", "DescribeTags"), ("autoscaling", "DescribeAutoScalingGroups")),
    "ec2": (("ec2", "DescribeTags"), ("ec2", "DescribeInstances")),
    "elasticloadbalancing": (("elbv2", "DescribeTags"),),
    "elasticache": (("elasticache", "ListTagsForResource"), ("resourcegroupstaggingapi", "GetResources")),
    "rds": (("rds", "ListTagsForResource"), ("rds", "DescribeDBInstances"), ("rds", "DescribeDBClusters")),
    "dynamodb": (("dynamodb", "ListTagsOfResource"), ("dynamodb", "DescribeTable")),
}


@dataclass(frozen=True)
class Part:
    """Something a tenant can own: an ARN, or an id of EC2, with the Region it is in."""

    name: str
    region: str

    @property
    def service(self) -> str:
        return self.name.split(":")[2] if self.name.startswith("arn:") else "ec2"


@dataclass(frozen=True)
class Case:
    """One tagging. `hidden`: the operation that reads it fails with this code, for some time."""

    decision: Decision
    move: Move
    part: Part
    key: str | None
    when: str  # before, between, undo
    hidden: tuple[tuple[str, str], str, timedelta] | None

    def __str__(self) -> str:
        operation, code, span = self.hidden or (("", "nothing"), "", timedelta(0))
        return (
            f"{self.decision.action} {self.move.name}: {self.key!r} on {self.part.name} {self.when}, "
            f"{operation[1]} fails by {code} for {span}"
        )


@dataclass
class Trial:
    """One foundation, for all cases."""

    foundation: Foundation
    plan: Plan
    governed: dict[str, Governed]
    _number: int = field(default=0, init=False)

    def tried(self, case: Case) -> str:
        """The fault that the case shows; empty if there is none."""
        done: list[str] = []
        move = _noted(case.move, done)
        self._number += 1
        life = self.foundation.life
        plan = replace(self.plan, code_revision=f"case-{self._number}")  # a separate journal
        change = ResourceChange(
            case.decision,
            life.actions[case.decision.action],
            self.governed[case.decision.resource],
            case.decision.before,
            (move,),
        )
        phase = plan.phase_of(case.decision)
        with self._lease() as pen, self._cleared(case):
            if case.when == "undo":
                self._engine(silent).run(plan, phase, change, move.when, pen)
                self._trouble(case)
                return self._undone(plan, phase, change, pen, case, done)
            if case.when == "before":
                self._trouble(case)
            hook = (lambda _: self._trouble(case)) if case.when == "between" else silent
            return self._done(self._engine(hook), plan, phase, change, pen, case, done)

    def _done(
        self,
        engine: Engine,
        plan: Plan,
        phase: Phase,
        change: ResourceChange,
        pen: JournalWriter,
        case: Case,
        done: Any,
    ) -> str:
        try:
            engine.run(plan, phase, change, case.move.when, pen)
        except (TenantOwned, OwnerUnread) as error:
            if case.key not in TENANTS and not case.hidden:
                return f"it was refused, though nothing is a tenant's: {error}"
        except ClientError as error:
            if not case.hidden:
                return f"it ended by {error}"
        return "it was changed" if done and case.key in TENANTS else ""

    def _undone(
        self, plan: Plan, phase: Phase, change: ResourceChange, pen: JournalWriter, case: Case, done: list[str]
    ) -> str:
        try:
            self._engine(silent).undo(plan, phase, {(change.action.id, change.decision.resource): change}, pen)
        except TenantOwned as error:
            return "" if case.key in TENANTS else f"no way back: {error}"
        except (OwnerUnread, ClientError) as error:
            return f"what could not be read blocked the way back: {error}"
        if "undone" not in done:
            return "it was not undone, and nothing was said"
        own = case.part.name == case.decision.resource
        return "a tenant's own resource was undone" if own and case.key in TENANTS and not case.hidden else ""

    def _engine(self, say: Callable[[str], None]) -> Engine:
        life = self.foundation.life
        regions, switch = life.regions, life.switch
        return Engine(life.production, regions, life.policy, life.actions, say, switch, lambda _: None)

    @contextmanager
    def _lease(self) -> Iterator[JournalWriter]:
        life = self.foundation.life
        with self.foundation.account.acting(JOB), life.journal.lease(Purpose.APPLY, "campaign") as lease:
            yield JournalWriter(life.journal, lease)

    def _trouble(self, case: Case) -> None:
        account = self.foundation.account
        if case.key and not self._tagged:
            with account.acting("somebody"):
                tag(self.foundation, case.part, case.key)
            self._tagged = True
        if case.hidden and not self._patched:
            operation, code, span = case.hidden
            self._patched = operation, operations().get(operation)
            until = account.clock.now() + span
            before = operations().get(operation)

            def answer(asked: Any, call: Any) -> Any:
                if asked.clock.now() < until and call.actor == JOB:
                    raise AwsError(code, "made up by the campaign")
                return before.answer(asked, call) if before else None

            operations()[operation] = Emulated(*operation, answer, "", "")  # type: ignore[index]  # as it is kept

    @contextmanager
    def _cleared(self, case: Case) -> Iterator[None]:
        """Afterwards remove everything that the case set."""
        self._tagged, self._patched = False, None
        try:
            yield
        finally:
            if self._patched:
                operation, before = self._patched
                kept: Any = operations()
                if before is None:
                    del kept[operation]
                else:
                    kept[operation] = before
            if self._tagged and case.key:
                with self.foundation.account.acting("somebody"):
                    tag(self.foundation, case.part, case.key, off=True)

    _tagged: bool = field(default=False, init=False)
    _patched: tuple[tuple[str, str], Emulated | None] | None = field(default=None, init=False)


def silent(_line: str) -> None:
    """A log that drops its lines."""


def _noted(move: Move, done: list[str]) -> Move:
    """The same move, which only records that it was carried out or undone."""
    reversible = move.when is When.APPLY
    return replace(
        move,
        is_done=lambda _: "done" in done,
        do=lambda _: done.append("done"),
        undo=(lambda _: done.append("undone")) if reversible else None,
        is_undone=(lambda _: "undone" in done) if reversible else None,
        is_ready=None,
        closed=None,
        settle=timedelta(0),
        deadline=timedelta(minutes=20),
        poll=timedelta(minutes=1),
    )


def tag(foundation: Foundation, part: Part, key: str, *, off: bool = False) -> None:
    """Set a tag in the form of its service, or remove it."""
    aws = foundation.somebody.at(part.region)
    tags: Any = [{"Key": key, "Value": "acme"}]
    match part.service:
        case "dynamodb":
            if off:
                aws.dynamodb.untag_resource(ResourceArn=part.name, TagKeys=[key])
            else:
                aws.dynamodb.tag_resource(ResourceArn=part.name, Tags=tags)
        case "autoscaling":
            of = {"ResourceId": part.name.rsplit("/", 1)[1], "ResourceType": "auto-scaling-group"}
            asked: Any = [{**tags[0], **of, "PropagateAtLaunch": False}]
            (aws.autoscaling.delete_tags if off else aws.autoscaling.create_or_update_tags)(Tags=asked)
        case "elasticloadbalancing":
            if off:
                aws.elbv2.remove_tags(ResourceArns=[part.name], TagKeys=[key])
            else:
                aws.elbv2.add_tags(ResourceArns=[part.name], Tags=tags)
        case "elasticache":
            if off:
                aws.elasticache.remove_tags_from_resource(ResourceName=part.name, TagKeys=[key])
            else:
                aws.elasticache.add_tags_to_resource(ResourceName=part.name, Tags=tags)
        case "rds":
            if off:
                aws.rds.remove_tags_from_resource(ResourceName=part.name, TagKeys=[key])
            else:
                aws.rds.add_tags_to_resource(ResourceName=part.name, Tags=tags)
        case _:
            (aws.ec2.delete_tags if off else aws.ec2.create_tags)(Resources=[part.name], Tags=tags)


def parts_of(foundation: Foundation, governed: Governed) -> list[Part]:
    """A resource and its parts, from the campaign's own reads."""
    region, aws = governed.region, foundation.somebody.at(governed.region)
    own = Part(governed.arn, region)
    match governed.kind:
        case Kind.FLEET:
            (group,) = aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[governed.name])[
                "AutoScalingGroups"
            ]
            ids = [each["InstanceId"] for each in group["Instances"]]
            pages = aws.ec2.describe_instances(InstanceIds=ids)["Reservations"]
            instances = [one for page in pages for one in page["Instances"]]
            disks = [disk["Ebs"]["VolumeId"] for each in instances for disk in each.get("BlockDeviceMappings", [])]
            cards = [card["NetworkInterfaceId"] for each in instances for card in each.get("NetworkInterfaces", [])]
            template, targets = group["LaunchTemplate"]["LaunchTemplateId"], group["TargetGroupARNs"]
            return [own, *(Part(each, region) for each in (template, *ids, *disks, *cards, *targets))]
        case Kind.CACHE:
            nodes = aws.elasticache.describe_cache_clusters()["CacheClusters"]
            mine = [each["ARN"] for each in nodes if each.get("ReplicationGroupId") == governed.name]
            return [own, *(Part(each, region) for each in mine)]
        case Kind.DATABASE:
            return [own, *_instances(foundation, governed.name, region)]
        case Kind.GLOBAL_DATABASE:
            found = [own]
            (shown,) = aws.rds.describe_global_clusters(GlobalClusterIdentifier=governed.name)["GlobalClusters"]
            for member in shown["GlobalClusterMembers"]:
                arn = member["DBClusterArn"]
                there, name = arn.split(":")[3], arn.rsplit(":", 1)[1]
                found += [Part(arn, there), *_instances(foundation, name, there)]
                if not member["IsWriter"]:
                    found += _doors(foundation, name, there)
            return found
        case _:
            return [own]


def _instances(foundation: Foundation, cluster: str, region: str) -> list[Part]:
    """A cluster's instances, with the parameter groups that were made for them."""
    shown = foundation.somebody.at(region).rds.describe_db_instances()["DBInstances"]
    mine = [each for each in shown if each.get("DBClusterIdentifier") == cluster]
    groups = {group["DBParameterGroupName"] for each in mine for group in each.get("DBParameterGroups", [])}
    made = sorted(each for each in groups if not each.startswith("default."))
    arns = [f"arn:aws:rds:{region}:{foundation.account.production}:pg:{each}" for each in made]
    return [Part(each, region) for each in (*(one["DBInstanceArn"] for one in mine), *arns)]


def _doors(foundation: Foundation, cluster: str, region: str) -> list[Part]:
    """The security groups of a secondary, which are closed with it."""
    (shown,) = foundation.somebody.at(region).rds.describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"]
    return [Part(each["VpcSecurityGroupId"], region) for each in shown.get("VpcSecurityGroups", [])]


def moves_of(foundation: Foundation, governed: Governed, decision: Decision) -> tuple[Move, ...]:
    """All moves of a decision; their output is not used here."""
    action = foundation.life.actions[decision.action]
    return tuple(action.moves(governed, decision.before, decision, *([NoNotes()] if action.keeps_notes else [])))


def drawn(random: Random, moves: list[tuple[Decision, Move, list[Part]]]) -> Case:
    """One random case; most have a tenant's tag, some a similar one, some none."""
    decision, move, parts = random.choice(moves)
    part = parts[0] if random.random() < 0.3 else random.choice(parts)
    key = random.choice([*TENANTS, *TENANTS, *NOBODYS, None, None])
    when = random.choice(["before", "between", "undo"] if move.when is When.APPLY else ["before", "between"])
    hidden = None
    if random.random() < 0.5:
        code = random.choice([*PASSING, "AccessDeniedException"])
        hidden = random.choice(READS[part.service]), code, random.choice([timedelta(minutes=3), timedelta(days=9)])
    return Case(decision, move, part, key, when, hidden)


def run(size: Size) -> Row:
    random = Random(size.seed)
    count = size.of(120, 4_000, 20_000)
    failures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="tenants-") as folder, loaded(Path(folder)) as foundation:
        plan = foundation.plan(*registry())
        wanted = [each for phase in Phase for each in plan.to_apply(phase)]
        governed = foundation.resources(wanted)
        moves = []
        for each in wanted:
            parts = parts_of(foundation, governed[each.resource])
            for move in moves_of(foundation, governed[each.resource], each):
                others = SOURCES if move.name in OF_BOTH and each.action == "table_consolidation" else ()
                also = [Part(sibling(governed[each.resource], name).arn, parts[0].region) for name in others]
                moves.append((each, move, list(dict.fromkeys([*parts, *also]))))
        trial = Trial(foundation, plan, governed)
        for _ in range(count):
            case = drawn(random, moves)
            if wrong := trial.tried(case):
                failures.append(f"{case}: {wrong}")
    known = len({part for _, _, found in moves for part in found})
    return Row(count, tuple(failures), f"{len(moves)} moves of {len(wanted)} decisions, {known} parts")


CAMPAIGN = Campaign(
    title="Tenants",
    proves="no move goes forward on what is, or may be, a tenant's; no rollback is blocked by what could not be read",
    cannot="tags that AWS itself shows late, parts of a resource that neither we nor the emulated account know, and "
    "what tests try one by one: tags that a launch template gives, snapshots, a secondary that was detached",
    planted="`resources/fleet/kinds.py`: instances without their network interfaces (1 of 600 cases, seed 1)",
    run=run,
)
