"""The journal: a DynamoDB table in the tooling account that holds the plan's whole state.

Reading needs nothing; writing needs the lease (`with journal.lease(...) as pen`). State changes
compare and set. The plan lives here, not in a pipeline execution, so any execution can carry it on.

    plan              current            which plan is in force, its state, phases with something to do
    plan#<hash>       plan               the plan's document, compressed
                      evidence           what was measured for the plan, compressed
                      baseline           health samples from before the plan's first change,
                      baseline#<group>   and those of each target group
                      phase#<n>          where the phase stands
                      before#<n>#<a>#<r> a resource as it was before an action touched it
                      notes#<n>#<a>#<r>  how far a long move of a change is, compressed
                      pause#<time>       when requests were refused by our own doing, and until when
                      move#<n>#<seq>     one move: intent, done, undoing, undone
                      left#<n>#<a>#<r>   a resource as the phase left it when its window opened
                      override#<commit>  the freeze set aside for a commit: by whom, why
                      window#<n>         the window's samples, kept when it closed
                      realised#<date>    what a week after acceptance cost, against what it would have
                      event#<time>#<k>   what happened, in words
                      told#<key>         a notice that people were sent: nothing is decided by it
    code              applied            the archive of the code that ran apply last (versions.py)
    accepted          last               which phase was accepted last, of which plan, and when
    sizing            current            the sizing record
    lease             lease              the lock (lease.py)
    watch             last               when the watch judged last: its heartbeat
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter

from domain.errors import JournalDamaged, UsageError
from domain.sizing import Sizing, SizingRecord
from optimizer.analyze.evidence import PlanEvidence
from optimizer.costs.realised import RealisedWeek
from optimizer.decide.health import Baseline
from optimizer.execute.lease import PATIENCE, Held, LeaseHolder, Purpose, read_holder
from optimizer.execute.records import (
    Acceptance,
    Earlier,
    History,
    MoveRecord,
    Override,
    PhaseEvent,
    PhaseRecord,
    PhaseState,
    PlanRecord,
    PlanState,
    WindowEvidence,
    WindowSnapshot,
)
from optimizer.execute.stored_samples import samples_of
from optimizer.model.decision import Json
from optimizer.model.health import Pause, Samples
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan, load_plan
from optimizer.ports.aws import Aws

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactGetItemTypeDef

Item = Mapping[str, Any]
T = TypeVar("T")

_WINDOW = TypeAdapter(WindowEvidence)
_PHASE = TypeAdapter(PhaseRecord)
_MOVE = TypeAdapter(MoveRecord)
_EVIDENCE = TypeAdapter(PlanEvidence)
_WEEK = TypeAdapter(RealisedWeek)
_OVERRIDE = TypeAdapter(Override)
_LEFT = TypeAdapter(WindowSnapshot)
_PHASE_KEYS = [f"phase#{phase.number}" for phase in Phase]


@dataclass(frozen=True)
class Journal:
    """Reads the journal; `lease` opens it for writing. `design` is the sizing as long as nothing was accepted."""

    aws: Aws
    table: str
    design: Sizing = field(default=Sizing.AS_DESIGNED, compare=False, repr=False)
    _documents: dict[str, bytes] = field(default_factory=dict, compare=False, repr=False)  # plans, by hash
    _baselines: dict[str, Baseline] = field(default_factory=dict, compare=False, repr=False)  # kept once for all
    _balancers: list[str] = field(default_factory=list, compare=False, repr=False)  # of the baselines, as they are read
    _writes: list[Purpose] = field(default_factory=list, compare=False, repr=False)

    @property
    def written(self) -> int:
        """The number of times this process wrote to a plan, or may have; renewing the lease is no such write."""
        return len(self._writes)

    def lease(self, purpose: Purpose, who: str, patience: timedelta = PATIENCE) -> Held:
        """The lease, to be held in a `with` block while writing; waited for so long."""
        return Held(self.aws, self.table, purpose, who, patience, wrote=lambda: self._writes.append(purpose))

    def holder(self) -> LeaseHolder | None:
        """The last holder of the lease; None when nobody ever held it."""
        return read_holder(self.aws, self.table)

    def current(self) -> PlanRecord | None:
        """The plan in force; None before the first analysis."""
        head = self._get("plan", "current")
        if head is None:
            return None
        plan_hash = _hash(head)
        if plan_hash not in self._documents:  # what lies under its hash never changes
            self._keep_document(plan_hash, self._get(f"plan#{plan_hash}", "plan"))
        return self._in_force(head)

    def standing(self) -> tuple[PlanRecord, dict[Phase, PhaseRecord]] | None:
        """The plan in force and where its phases stand, in two calls; None before the first analysis."""
        head = self._get("plan", "current")
        if head is None:
            return None
        plan_hash = _hash(head)
        unread = [] if plan_hash in self._documents else ["plan"]
        *document, one, two, three = self._at_once(f"plan#{plan_hash}", [*unread, *_PHASE_KEYS])
        for each in document:
            self._keep_document(plan_hash, each)
        record = self._in_force(head)
        return record, _phases(record.plan, (one, two, three))

    def _keep_document(self, plan_hash: str, body: Item | None) -> None:
        if body is None:
            raise UsageError(
                f"The journal {self.table} names plan {plan_hash[:12]} and does not hold it: restore the table."
            )
        with _readable(body):
            self._documents[plan_hash] = bytes(body["document"]["B"])

    def _in_force(self, head: Item) -> PlanRecord:
        with _readable(head):
            return PlanRecord(
                plan=_plan(self._documents[_hash(head)]),
                state=PlanState(head["state"]["S"]),
                proposed_at=_time(head["proposed_at"]),
                approved_at=_time(head["approved_at"]) if "approved_at" in head else None,
                approver=head["approver"]["S"] if "approver" in head else None,
            )

    def phases(self, plan: Plan) -> dict[Phase, PhaseRecord]:
        """The records of all phases, read at one moment; WAITING where nothing was written."""
        return _phases(plan, self._at_once(f"plan#{plan.hash}", _PHASE_KEYS))

    def _at_once(self, pk: str, keys: Sequence[str]) -> list[Item | None]:
        """Items of one partition as they are at one moment, in the order of the keys."""
        gets: list[TransactGetItemTypeDef] = [
            {"Get": {"TableName": self.table, "Key": {"pk": {"S": pk}, "sk": {"S": sk}}}} for sk in keys
        ]
        return [each.get("Item") for each in self.aws.dynamodb.transact_get_items(TransactItems=gets)["Responses"]]

    def phase(self, plan: Plan, phase: Phase) -> PhaseRecord:
        """The record of a phase; WAITING when nothing was written of it."""
        item = self._get(f"plan#{plan.hash}", f"phase#{phase.number}")
        if item is None:
            return PhaseRecord(phase, PhaseState.WAITING, plan.created_at)
        return _record(_PHASE, item)

    def moves(self, plan: Plan, phase: Phase) -> list[MoveRecord]:
        """The moves of a phase that were begun, in the order of their sequence."""
        items = self._query(f"plan#{plan.hash}", f"move#{phase.number}#")
        return [_record(_MOVE, item) for item in items]

    def before(self, plan: Plan, phase: Phase, action: str, resource: str) -> Mapping[str, Json] | None:
        """The resource as it was before the action touched it; None when it did not yet."""
        item = self._get(f"plan#{plan.hash}", f"before#{phase.number}#{action}#{resource}")
        return None if item is None else _document(item)

    def left(self, plan: Plan, phase: Phase) -> list[WindowSnapshot]:
        """The state that a phase left behind when its window opened; nothing before."""
        items = self._query(f"plan#{plan.hash}", f"left#{phase.number}#")
        return [_record(_LEFT, item) for item in items]

    def override(self, plan: Plan, commit: str) -> Override | None:
        """The freeze set aside for this commit; None when it was not."""
        item = self._get(f"plan#{plan.hash}", f"override#{commit}")
        return None if item is None else _record(_OVERRIDE, item)

    def notes(self, plan: Plan, phase: Phase, action: str, resource: str) -> Mapping[str, Json] | None:
        """The progress of a change's long move; None before it wrote anything."""
        item = self._get(f"plan#{plan.hash}", f"notes#{phase.number}#{action}#{resource}")
        return None if item is None else _packed(item, json.loads)

    def pauses(self, plan: Plan) -> list[Pause]:
        """The announced pauses of a plan, in order."""
        pauses_found = []
        for item in self._query(f"plan#{plan.hash}", "pause#"):
            with _readable(item):
                begin = datetime.fromisoformat(str(item["sk"]["S"]).removeprefix("pause#"))
                pauses_found.append(Pause(begin, _time(item["until"]) if "until" in item else None))
        return pauses_found

    def baseline(self, plan_hash: str) -> Baseline | None:
        """The service from before the plan's first change, read once; None when nothing was changed yet."""
        if plan_hash in self._baselines:
            return self._baselines[plan_hash]
        items = {str(item["sk"]["S"]): item for item in self._query(f"plan#{plan_hash}", "baseline")}
        if "baseline" not in items:
            return None
        with _readable(items["baseline"]):
            zone = items["baseline"].get("zone", {"S": "UTC"})["S"]
            documents = tuple((key, bytes(item["document"]["B"])) for key, item in sorted(items.items()))
            if "balancer" in items["baseline"]:
                self._balancers.append(items["baseline"]["balancer"]["S"])
            return self._baselines.setdefault(plan_hash, _baseline(zone, documents))

    def balancer(self) -> str | None:
        """The ARN of the load balancer that the baseline read last was measured at; None before one is read."""
        return self._balancers[-1] if self._balancers else None

    def accepted_last(self) -> Acceptance | None:
        """The latest acceptance, also when another plan is in force by now."""
        item = self._get("accepted", "last")
        if item is None:
            return None
        with _readable(item):
            return Acceptance(item["hash"]["S"], Phase(int(item["phase"]["N"])), _time(item["at"]))

    def mails_sent(self, plan_hash: str) -> frozenset[str]:
        """The keys of the notices that people were sent about a plan."""
        return frozenset(item["sk"]["S"].removeprefix("told#") for item in self._query(f"plan#{plan_hash}", "told#"))

    def tell(self, plan_hash: str, key: str) -> None:
        """Remember a notice that was sent. Without the lease, as the heartbeat is: it moves nothing."""
        item: dict[str, AttributeValueTypeDef] = {"pk": {"S": f"plan#{plan_hash}"}, "sk": {"S": f"told#{key}"}}
        self.aws.dynamodb.put_item(TableName=self.table, Item={**item, "at": {"S": self.aws.clock.now().isoformat()}})

    def heartbeat(self) -> datetime | None:
        """When the watch judged last; None before it ever did."""
        item = self._get("watch", "last")
        if item is None:
            return None
        with _readable(item):
            return _time(item["at"])

    def beat(self) -> None:
        """The watch has judged just now. Without the lease: nothing of the plan is decided by it."""
        item: dict[str, AttributeValueTypeDef] = {"pk": {"S": "watch"}, "sk": {"S": "last"}}
        self.aws.dynamodb.put_item(TableName=self.table, Item={**item, "at": {"S": self.aws.clock.now().isoformat()}})

    def sizing(self) -> SizingRecord:
        """The sizing in force; the design when nothing was ever accepted."""
        item = self._get("sizing", "current")
        if item is None:
            return SizingRecord(revision=0, sizing=self.design)
        with _readable(item):
            return SizingRecord.model_validate_json(item["record"]["S"])

    def accepted(self) -> Plan | None:
        """The plan of which a phase was accepted last; None before any was. A newer one may be in force."""
        head = self._get("accepted", "last")
        if head is None:
            return None
        with _readable(head):
            body = self._get(f"plan#{head['hash']['S']}", "plan")
            return _plan(bytes(body["document"]["B"])) if body else None

    def realised(self, plan: Plan) -> tuple[RealisedWeek, ...]:
        """The weeks that were measured since its acceptance, in order."""
        items = self._query(f"plan#{plan.hash}", "realised#")
        return tuple(_record(_WEEK, item) for item in items)

    def history(self) -> History:
        """Everything of the plan in force, for the dashboard."""
        record = self.current()
        sizing = self.sizing()
        if record is None:
            return History(None, (), (), (), {}, sizing, None, {})
        plan = record.plan
        items = {item["sk"]["S"]: item for item in self._query(f"plan#{plan.hash}", "")}

        def documents(prefix: str) -> list[Item]:
            return [item for key, item in sorted(items.items()) if key.startswith(prefix)]

        return History(
            record=record,
            phases=tuple(_record(_PHASE, each) for each in documents("phase#")),
            moves=tuple(_record(_MOVE, each) for each in documents("move#")),
            events=tuple(_event(each) for each in documents("event#")),
            windows={
                Phase(int(key.split("#")[1])): _packed(item, _WINDOW.validate_json)
                for key, item in items.items()
                if key.startswith("window#")
            },
            sizing=sizing,
            cost_now=None,
            before={key: _document(item) for key, item in items.items() if key.startswith("before#")},
            evidence=_packed(items["evidence"], _EVIDENCE.validate_json) if "evidence" in items else None,
            baseline=_packed(items["baseline"], samples_of) if "baseline" in items else (),
            realised=tuple(_record(_WEEK, each) for each in documents("realised#")),
            earlier=self._earlier(plan),
        )

    def _earlier(self, current: Plan) -> Earlier | None:
        """The plan accepted last, when another is in force."""
        accepted = self.accepted()
        if accepted is None or accepted.hash == current.hash:
            return None
        return Earlier(accepted, tuple(self.phases(accepted).values()), self.realised(accepted))

    def items(self, pk: str) -> Sequence[Item]:
        """Everything under one partition key, as it is stored: for the export."""
        return self._query(pk, "")

    def _get(self, pk: str, sk: str) -> Item | None:
        key: Mapping[str, AttributeValueTypeDef] = {"pk": {"S": pk}, "sk": {"S": sk}}
        return self.aws.dynamodb.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")

    def _query(self, pk: str, prefix: str) -> Sequence[Item]:
        condition = "pk = :pk AND begins_with(sk, :sk)" if prefix else "pk = :pk"
        values: dict[str, AttributeValueTypeDef] = {":pk": {"S": pk}}
        if prefix:
            values[":sk"] = {"S": prefix}
        pages = self.aws.dynamodb.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        )
        return [item for page in pages for item in page["Items"]]


def _hash(head: Item) -> str:
    with _readable(head):
        return str(head["hash"]["S"])


def _phases(plan: Plan, items: Iterable[Item | None]) -> dict[Phase, PhaseRecord]:
    """By their items; WAITING those of which nothing was written."""
    waiting = {phase: PhaseRecord(phase, PhaseState.WAITING, plan.created_at) for phase in Phase}
    return waiting | {record.phase: record for record in (_record(_PHASE, each) for each in items if each)}


@lru_cache(maxsize=4)
def _plan(document: bytes) -> Plan:
    return load_plan(unpacked({"B": document}), "the journal")


@lru_cache(maxsize=4)
def _baseline(zone: str, documents: tuple[tuple[str, bytes], ...]) -> Baseline:
    """From the load balancer's item, `baseline`, and those of its target groups, `baseline#NAME`."""
    (_, whole), *groups = ((key, samples_of(unpacked({"B": document}))) for key, document in documents)
    return Baseline(Samples(whole, {key.removeprefix("baseline#"): group for key, group in groups}, zone))


def packed(text: str) -> AttributeValueTypeDef:
    """Text as a compressed binary attribute: items hold at most 400 KB (DynamoDB quotas)."""
    return {"B": zlib.compress(text.encode(), 6)}


def unpacked(attribute: Mapping[str, Any]) -> str:
    """The text in a compressed binary attribute."""
    return zlib.decompress(bytes(attribute["B"])).decode()


@contextmanager
def _readable(item: Item) -> Iterator[None]:
    """Raises JournalDamaged where an item does not hold what was written: nothing is done by half of a journal."""
    try:
        yield
    except (KeyError, TypeError, ValueError, zlib.error) as error:  # pydantic's ValidationError is a ValueError
        key = " ".join(str(item.get(name, {}).get("S", "?")) for name in ("pk", "sk"))
        raise JournalDamaged(
            f"The journal's item {key} does not hold what was written ({type(error).__name__}), and nothing is done "
            "by it: restore the table to a time before (point-in-time recovery), then run this again."
        ) from error


def _record(adapter: TypeAdapter[T], item: Item) -> T:
    with _readable(item):
        return adapter.validate_json(item["record"]["S"])


def _document(item: Item) -> Any:
    with _readable(item):
        return json.loads(item["document"]["S"])


def _packed(item: Item, read: Callable[[str], T]) -> T:
    with _readable(item):
        return read(unpacked(item["document"]))


def _event(item: Item) -> PhaseEvent:
    with _readable(item):
        return _as_event(item)


def _as_event(item: Item) -> PhaseEvent:
    number = item.get("phase", {}).get("N")
    return PhaseEvent(_time(item["at"]), Phase(int(number)) if number else None, item["text"]["S"])


def _time(attribute: Mapping[str, str]) -> datetime:
    return datetime.fromisoformat(attribute["S"])
