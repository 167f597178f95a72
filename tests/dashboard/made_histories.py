"""Hand-made journals for each situation that the page has to show."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from domain.sizing import Sizing, SizingRecord
from optimizer.analyze.evidence import PlanEvidence
from optimizer.costs.breakdown import CostLine
from optimizer.costs.commitments import Commitments, Committed, Reservation
from optimizer.costs.findings import Finding
from optimizer.costs.list_bill import in_cents
from optimizer.costs.money_evidence import MoneyEvidence
from optimizer.costs.purchase_advice import PurchaseAdvice
from optimizer.costs.realised import RealisedWeek
from optimizer.costs.trend import ForecastMonth, ServiceMonth, Trend
from optimizer.execute.records import (
    Earlier,
    History,
    MoveRecord,
    MoveState,
    PhaseEvent,
    PhaseRecord,
    PhaseState,
    PlanRecord,
    PlanState,
    WindowEvidence,
)
from optimizer.model.decision import Choice, Decision, Projection, brief, decide_by, guard
from optimizer.model.health import Assessment, Health, Sample
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan, PlannedAction
from optimizer.model.plan_costs import Later, PlanCosts, Saving, Totals
from optimizer.model.resource import Excluded, Kind
from optimizer.observe.load import Load, Use
from optimizer.observe.tenants import Figures, TierUse

START = datetime(2027, 3, 1, 8, 0, tzinfo=UTC)
DAYS = timedelta(days=1)
FIVE = timedelta(minutes=5)

FLEET_ARN = "arn:aws:autoscaling:us-east-1:222222222222:autoScalingGroup:8f1c:autoScalingGroupName/tap-fleet"
DATABASE_ARN = "arn:aws:rds:us-east-1:222222222222:cluster:tap-database"

FLEET = PlannedAction("fleet_rightsize", 2, "Right-size the fleet", ())
BACKUPS = PlannedAction("aurora_backups", 3, "Shorten Aurora backups", ("retention 14 days",))


def fleet_decision(cpu_p95: float | None = 7.9) -> Decision:
    after = None if cpu_p95 is None else cpu_p95 * 3.75 * 1.5
    return decide_by(
        "fleet_rightsize",
        FLEET_ARN,
        (
            brief("p95 CPU", cpu_p95, unit="%", below=20.0),
            brief("p95 network, of the baseline bandwidth", 11.2, unit="%", below=60.0),
            guard("p95 CPU after the change, one zone lost", after, unit="%", at_most=60.0,
                  source="240 to 64 vCPU multiplies CPU by 3.75; one of three zones lost by 1.5"),
            guard("p95 network, of the new type's baseline", 42.0, unit="%", at_most=60.0, source="2.5 Gbps"),
            guard("datapoints in the period", 99.7, unit="%", at_least=95.0),
            guard("instance refresh under way", False, equals=False),
        ),
        before={"instance_type": "m5.4xlarge", "desired": 15},
        target={"instance_type": "m5.2xlarge", "desired": 8},
        projected=(
            Projection("p95 CPU", cpu_p95, None if cpu_p95 is None else cpu_p95 * 3.75, "%"),
            Projection("vCPU", 240, 64, ""),
        ),
        undo="A second instance refresh to m5.4xlarge, capacity first: minutes, no data involved.",
    )  # fmt: skip


def backup_decision() -> Decision:
    return decide_by(
        "aurora_backups",
        DATABASE_ARN,
        (
            brief("backup retention today", 30, unit="days", at_least=15),
            guard("restores older than 14 days in the last 400 days", 0, at_most=0, source="RDS events"),
            guard("cost of the snapshot, share of the saving", 0.62, at_most=1.0, source="Aurora User Guide"),
        ),
        before={"backup_retention_days": 30},
        target={"backup_retention_days": 14},
        projected=(Projection("days that can be restored", 30, 14, "days"),),
        undo="None after acceptance: points 15 to 30 days old are gone at once. The snapshot stays.",
    )  # fmt: skip


EXCLUDED = (
    Excluded(Kind.TABLE, "audit_logs", "arn:aws:dynamodb:us-east-1:222222222222:table/audit_logs", "us-east-1",
             "tagged TenantId=acme: a tenant owns it"),
    Excluded(Kind.CACHE, "tap-cache-acme", "arn:aws:elasticache:us-east-1:222222222222:replicationgroup:tap-cache-acme",
             "us-east-1", "its tags cannot be read (AccessDenied): it counts as owned"),
)  # fmt: skip

COSTS = PlanCosts(
    before=Decimal("31243.18"),
    after=Decimal("25055.98"),
    savings=(
        Saving("fleet_rightsize", FLEET_ARN, Decimal("6167.04")),
        Saving("aurora_backups", DATABASE_ARN, Decimal("20.16")),
    ),
    prices_dated="2026-11-23",
)


def plan(**changes: object) -> Plan:
    made = Plan(
        created_at=START,
        period_start=START - 60 * DAYS,
        period_end=START,
        covered_days=60.0,
        sizing_revision=0,
        code_revision="4f2a91c07be6",
        actions=(FLEET, BACKUPS),
        decisions=(fleet_decision(), backup_decision()),
        excluded=EXCLUDED,
        policy={"period": 5184000.0, "window": 172800.0, "fleet": {"cpu_p95": 20.0, "cpu_after": 60.0}, "lifted": []},
        costs=COSTS,
        held=None,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


TIERS = (
    TierUse("enterprise", 100, Figures(42_190.4, 0.0002, 214.2), Figures(41_913.2, 0.0003, 220.4)),
    TierUse("starter", None, Figures(None, None, None), Figures(14_575.0, 0.0, 178.0)),
)


def evidence(
    start: datetime, hours: float, worse: Callable[[float], float] = lambda _: 1.0, seed: int = 7
) -> WindowEvidence:
    """A window whose p99 follows the day; `worse(hour)` multiplies it."""
    chance = random.Random(seed)
    samples, expected = [], []
    for number in range(round(hours * 12)):
        at = start + number * FIVE
        tide = 0.5 - 0.5 * math.cos((at.hour + at.minute / 60 - 3) / 24 * 2 * math.pi)
        want = 88 + 46 * tide
        requests = float(round(3_500 + 8_000 * tide + chance.gauss(0, 120)))
        failed = chance.random() < 0.35
        samples.append(
            Sample(at, requests, float(chance.randint(1, 6)) if failed else None, None,
                   want * worse(number / 12) * (1 + chance.gauss(0, 0.035)))
        )  # fmt: skip
        expected.append(want)
    return WindowEvidence(tuple(samples), tuple(expected), TIERS)


def move(phase: Phase, sequence: int, action: str, resource: str, summary: str, state: MoveState, hours: float,
         one_way: bool = False) -> MoveRecord:  # fmt: skip
    return MoveRecord(phase, sequence, action, resource, f"move-{sequence}", summary, one_way, state,
                      START + timedelta(hours=hours))  # fmt: skip


def observed(phase: Phase, begin: datetime, state: PhaseState, **changes: object) -> PhaseRecord:
    """A phase whose window opened at `begin`, 50 minutes after its first change, and lasted 48 h."""
    made = PhaseRecord(
        phase, state, since=begin + 2 * DAYS, applied_at=begin - timedelta(minutes=50), window_start=begin,
        window_end=begin + 2 * DAYS,
        assessment=Assessment(Health.HEALTHY, "576 of 576 periods seen; latency and errors within their limits"),
        assessed_at=begin + 2 * DAYS,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


PHASE_2, PHASE_3 = START + timedelta(hours=2), START + timedelta(days=2, hours=4)
ACCEPTED_AT = PHASE_2 + 2 * DAYS + timedelta(minutes=20)
FLEET_MOVES = (
    move(Phase.COMPUTE, 1, "fleet_rightsize", FLEET_ARN, "Instance refresh to m5.2xlarge at 15 instances",
         MoveState.DONE, 1.2),
    move(Phase.COMPUTE, 2, "fleet_rightsize", FLEET_ARN, "Capacity 8, minimum 6, maximum 15", MoveState.DONE, 1.9),
)  # fmt: skip


def week(low: float, high: float) -> tuple[float, ...]:
    """The means of a week's hours, between two values, busiest in the afternoon."""
    return tuple(round(low + (high - low) * (0.5 - 0.5 * math.cos((hour % 24 - 4) / 24 * 2 * math.pi)), 2)
                 for hour in range(168))  # fmt: skip


def kept_evidence() -> PlanEvidence:
    """Loads and a bill whose sums are those of COSTS."""
    lines = (
        CostLine("fleet", "m5.4xlarge", "us-east-1", Decimal("8409.60"), (Decimal("8409.60"), *[Decimal("0.00")] * 2)),
        CostLine("fleet", "m5.2xlarge", "us-east-1", Decimal("0.00"), (Decimal("0.00"), *[Decimal("2242.56")] * 2)),
        CostLine("database", "db.r6g.4xlarge", "us-east-1", Decimal("22797.13"), (Decimal("22797.13"),) * 3),
        CostLine("database", "Aurora backup", "us-east-1", Decimal("36.45"),
                 (Decimal("36.45"), Decimal("36.45"), Decimal("16.29"))),
    )  # fmt: skip
    loads = (
        Load("AWS/ApplicationELB", "RequestCount", "Sum", 3600, 1, week(38_000, 131_000),
             (Use("tap", "us-east-1", 126_200.0, 135_900.0, 100.0),)),
        Load("AWS/EC2", "CPUUtilization", "Average", 300, 1, (None, *week(2.5, 7.3)[1:]),
             (Use("tap-fleet", "us-east-1", 7.121, 8.326, 99.9),)),
    )  # fmt: skip
    return PlanEvidence(loads, lines, tenants=2500)


MONTHS = (*(date(2026, month, 1) for month in range(1, 13)), date(2027, 1, 1), date(2027, 2, 1))
SERVICES = {
    "Amazon ElastiCache": Decimal("14400.00"),
    "Amazon Elastic Compute Cloud - Compute": Decimal("8400.00"),
    "Amazon Relational Database Service": Decimal("7900.00"),
    "EC2 - Other": Decimal("700.00"),
    "Amazon DynamoDB": Decimal("410.00"),
    "Amazon CloudWatch": Decimal("120.00"),
    "AWS Key Management Service": Decimal("8.00"),
}
RESERVED_UNTIL = date(2027, 9, 15)


def money() -> MoneyEvidence:
    """14 months of seven services, growing by 1 % a month; the last is not closed. Half the fleet is reserved."""
    months = tuple(
        ServiceMonth(
            month, name, (cost := in_cents(monthly * (100 + number) / 100)) + (800 if "Compute" in name else 0),
            cost, cost, None, Decimal("12.50") if "Compute" in name else Decimal("0.00"),
            estimated=month == MONTHS[-1],
        )
        for number, month in enumerate(MONTHS)
        for name, monthly in SERVICES.items()
    )  # fmt: skip
    reservation = Reservation(
        "ri-1", Committed.EC2, "us-east-1", "m5.4xlarge", Decimal(240), RESERVED_UNTIL, Decimal("2650.00"), Decimal(0)
    )
    return MoneyEvidence(
        months=months,
        given_back=(),
        days=(),
        trend=Trend(Decimal("1080.40"), 0.9, -0.2, 2.0, None),
        forecast=(
            ForecastMonth(date(2027, 3, 1), Decimal("33400.00"), Decimal("32100.00"), Decimal("34700.00"), False),
        ),
        commitments=Commitments(reservations=(reservation,)),
        used=(),
        advice=(PurchaseAdvice("Amazon ElastiCache", "us-east-1", "cache.r6g", Decimal(384), Decimal("4700.00"),
                               Decimal(384), Decimal(32), Decimal("391.67")),),
        savings_plan=None,
        findings=(Finding("Graviton", "m5 instances came to $8,400 in February 2027", "Try the image on arm64",
                          Decimal("8400.00"), date(2027, 2, 1), "https://aws.amazon.com/ec2/graviton/"),),
        requests=14,
        spent=Decimal("0.14"),
        notes=("Savings Plans could not be read: the role may not (ce:GetSavingsPlansCoverage).",),
    )  # fmt: skip


def reserved() -> History:
    """A plan that is done, net of a reservation that ends in September, with two measured weeks."""
    seen = accepted()
    assert seen.record is not None
    fleet, backups = COSTS.savings
    net = replace(
        fleet, net=Decimal("3517.04"), stranded=Decimal("2650.00"), once=Decimal("0.00"),
        later=(Later(RESERVED_UNTIL, Decimal("6167.04"), Decimal("0.00")),), payback_months=Decimal(0),
    )  # fmt: skip
    snapshot = replace(backups, net=backups.monthly, stranded=Decimal("0.00"), once=Decimal("12.50"),
                       payback_months=Decimal("0.6"))  # fmt: skip
    costs = replace(
        COSTS, savings=(net, snapshot),
        totals_before=Totals(COSTS.before, Decimal("29800.00"), Decimal("30443.18"), Decimal("12.50")),
        totals_after=Totals(COSTS.after, Decimal("26262.80"), Decimal("26905.98"), Decimal("2662.50")),
    )  # fmt: skip
    start = (ACCEPTED_AT + 2 * DAYS).date()
    weeks = tuple(
        RealisedWeek(start + timedelta(weeks=n), start + timedelta(weeks=n + 1), Decimal("7000.00"), Decimal("6200.00"),
                     Decimal("800.00"), Decimal("650.00"), Decimal("950.00"), Decimal("813.50"))
        for n in range(2)
    )  # fmt: skip
    kept = kept_evidence()
    return replace(
        seen,
        record=replace(seen.record, plan=plan(costs=costs)),
        evidence=replace(kept, money=money()),
        realised=weeks,
    )


def followed() -> History:
    """The week after `reserved`: a newer plan, which keeps everything, is in force."""
    done = reserved()
    assert done.record is not None
    return replace(kept(), earlier=Earlier(done.record.plan, done.phases, done.realised))


def history(record: PlanRecord | None, **changes: object) -> History:
    made = History(
        record, (), (), (), {}, SizingRecord(revision=0, sizing=Sizing.AS_DESIGNED), None, {},
        evidence=kept_evidence() if record and not record.plan.held else None,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def empty() -> History:
    return history(None)


def proposed() -> History:
    return history(
        PlanRecord(plan(), PlanState.PROPOSED, START),
        events=(PhaseEvent(START, None, "Plan proposed: 2 of 2 decisions would apply"),),
        cost_now=COSTS.before,
    )


def held() -> History:
    reason = "12.0 of 60 days of metrics: the evidence is complete on 18 Apr 2027"
    young = plan(held=reason, covered_days=12.0, decisions=(), excluded=(), costs=None)
    return history(
        PlanRecord(young, PlanState.PROPOSED, START), events=(PhaseEvent(START, None, f"Plan held: {reason}"),)
    )


def kept() -> History:
    decisions = (fleet_decision(cpu_p95=43.1), fleet_decision(cpu_p95=None))
    assert [each.choice for each in decisions] == [Choice.KEEP, Choice.NO_DATA]
    costs = replace(COSTS, after=COSTS.before, savings=())
    return history(PlanRecord(plan(decisions=decisions, costs=costs), PlanState.PROPOSED, START))


def observing() -> History:
    return history(
        PlanRecord(plan(), PlanState.APPROVED, START, START + timedelta(hours=1), "r.okafor"),
        phases=(observed(Phase.COMPUTE, PHASE_2, PhaseState.OBSERVING, assessed_at=PHASE_2 + timedelta(hours=31)),),
        moves=FLEET_MOVES,
        windows={Phase.COMPUTE: evidence(PHASE_2, 31)},
        cost_now=Decimal("25076.14"),
    )


def accepted() -> History:
    phases = (
        observed(Phase.COMPUTE, PHASE_2, PhaseState.RECONCILED, accepted_at=ACCEPTED_AT),
        observed(Phase.DATABASE, PHASE_3, PhaseState.RECONCILED, accepted_at=PHASE_3 + 2 * DAYS + timedelta(hours=1)),
    )
    moves = (
        *FLEET_MOVES,
        move(Phase.DATABASE, 1, "aurora_backups", DATABASE_ARN, "Snapshot tap-database-before-retention",
             MoveState.DONE, 52.5),
        move(Phase.DATABASE, 2, "aurora_backups", DATABASE_ARN, "Backup retention 14 days", MoveState.DONE, 101,
             True),
    )  # fmt: skip
    events = (
        PhaseEvent(START, None, "Plan proposed: 2 of 2 decisions would apply, $6,187.20 a month"),
        PhaseEvent(START + timedelta(hours=1), None, "Plan approved by r.okafor"),
        PhaseEvent(PHASE_2, Phase.COMPUTE, "Applied: 15 x m5.4xlarge became 8 x m5.2xlarge; window open for 48 h"),
        PhaseEvent(
            ACCEPTED_AT, Phase.COMPUTE, "Accepted; sizing record is revision 1; no difference between code and account"
        ),
        PhaseEvent(PHASE_3, Phase.DATABASE, "Applied: snapshot taken; window open for 48 h"),
        PhaseEvent(PHASE_3 + 2 * DAYS + timedelta(hours=1), Phase.DATABASE, "Accepted; backup retention is 14 days"),
    )
    return history(
        PlanRecord(plan(), PlanState.DONE, START, START + timedelta(hours=1), "r.okafor"),
        phases=phases,
        moves=moves,
        events=events,
        windows={Phase.COMPUTE: evidence(PHASE_2, 48), Phase.DATABASE: evidence(PHASE_3, 48, seed=11)},
        sizing=SizingRecord(revision=2, sizing=Sizing.AS_DESIGNED),
        cost_now=COSTS.after,
        baseline=evidence(PHASE_2 - 7 * DAYS, 7 * 24, seed=3).samples,
    )


def rolled_back() -> History:
    reason = "p99 latency over +20 % of expected in 16 of the last 24 periods (last: 171 ms, 131 ms expected)"
    at = PHASE_2 + timedelta(hours=9)
    moves = tuple(replace(each, state=MoveState.UNDONE, at=at) for each in FLEET_MOVES)
    events = (
        PhaseEvent(START, None, "Plan proposed: 2 of 2 decisions would apply"),
        PhaseEvent(START + timedelta(hours=1), None, "Plan approved by r.okafor"),
        PhaseEvent(PHASE_2, Phase.COMPUTE, "Applied: 15 x m5.4xlarge became 8 x m5.2xlarge; window open for 48 h"),
        PhaseEvent(at, Phase.COMPUTE, f"BREACH: {reason}"),
        PhaseEvent(at + timedelta(minutes=1), Phase.COMPUTE, "Gate Observe rejected; rollback began"),
        PhaseEvent(
            at + timedelta(minutes=42), Phase.COMPUTE, "Rolled back: 15 x m5.4xlarge as before; the plan is stopped"
        ),
    )
    phase = observed(Phase.COMPUTE, PHASE_2, PhaseState.ROLLED_BACK, since=at, reason=reason,
                     assessment=Assessment(Health.BREACH, reason), assessed_at=at)  # fmt: skip
    return history(
        PlanRecord(plan(), PlanState.STOPPED, START, START + timedelta(hours=1), "r.okafor"),
        phases=(phase,),
        moves=moves,
        events=events,
        windows={Phase.COMPUTE: evidence(PHASE_2, 9.5, lambda hour: 1.3 if hour > 7 else 1.0)},
        cost_now=COSTS.before,
    )


HOSTILE = "</script><script>document.title='owned'</script>\"'<img src=x onerror=alert(1)>\u202eevil" + "x" * 300


def many(number: int = 1000) -> History:
    """A plan over this many groups, half of them to change, with as many left alone and events of each."""
    decisions, savings, moves, events = [], [], [], []
    for place in range(number):
        arn = FLEET_ARN.replace("8f1c", f"{place:04x}").replace("tap-fleet", f"team-{place:04d}")
        decisions.append(replace(fleet_decision(cpu_p95=1.0 + place % 17), resource=arn))
        if decisions[-1].choice is Choice.APPLY:
            savings.append(Saving("fleet_rightsize", arn, Decimal(place) + Decimal("0.25")))
            moves.append(move(Phase.COMPUTE, place, "fleet_rightsize", arn, f"Capacity of team-{place:04d}",
                              MoveState.DONE, 1.5))  # fmt: skip
            events.append(
                PhaseEvent(PHASE_2 + timedelta(seconds=place), Phase.COMPUTE, f"team-{place:04d}: capacity: done")
            )
    excluded = tuple(replace(EXCLUDED[0], name=f"owned-{place:04d}") for place in range(number))
    before = Decimal(2_000_000)
    costs = PlanCosts(
        before, before - sum((each.monthly for each in savings), Decimal(0)), tuple(savings), "2026-11-23"
    )
    made = plan(decisions=tuple(decisions), actions=(FLEET,), excluded=excluded, costs=costs)
    seen = observing()
    return replace(
        seen,
        record=PlanRecord(made, PlanState.APPROVED, START, START + timedelta(hours=1), "r.okafor"),
        moves=tuple(moves),
        events=tuple(events),
    )


def hostile() -> History:
    """Names, tags and reasons as an attacker would choose them."""
    decision = replace(fleet_decision(), resource=HOSTILE, reason=HOSTILE, undo=HOSTILE)
    action = replace(FLEET, title=HOSTILE)
    costs = replace(COSTS, savings=(Saving("fleet_rightsize", HOSTILE, Decimal("6187.20")),))
    excluded = (replace(EXCLUDED[0], name=HOSTILE, reason=HOSTILE),)
    made = plan(decisions=(decision,), actions=(action,), costs=costs, excluded=excluded, code_revision=HOSTILE)
    seen = rolled_back()
    return replace(
        seen,
        record=PlanRecord(made, PlanState.STOPPED, START, START, HOSTILE),
        phases=tuple(replace(each, reason=HOSTILE) for each in seen.phases),
        moves=tuple(replace(each, resource=HOSTILE, summary=HOSTILE) for each in seen.moves),
        events=(PhaseEvent(START, None, HOSTILE),),
    )


ALL: dict[str, Callable[[], History]] = {
    each.__name__: each
    for each in (empty, proposed, held, kept, observing, accepted, reserved, followed, rolled_back, hostile)
}
