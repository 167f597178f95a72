"""Heat maps, risks, bills, savings over time and tenants show the plan's and the journal's values."""

import csv
import io
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from optimizer.dashboard.compose.bills import bills_of
from optimizer.dashboard.compose.heat_maps import limit_maps, load_maps, share_of_limit
from optimizer.dashboard.compose.long_lists import SHOWN, decisions_as_data, split
from optimizer.dashboard.compose.page import view_of
from optimizer.dashboard.compose.risks import impact_of, likelihood_of, risks_of
from optimizer.dashboard.compose.savings import costs_of
from optimizer.dashboard.compose.tenants import NO_TIERS, NOT_COUNTED, tenant_impact
from optimizer.dashboard.compose.timeline import added_up, timeline_of
from optimizer.dashboard.export import COLUMNS, decisions_csv, read_evidence, write_evidence
from optimizer.dashboard.figures import evidence as evidence_charts
from optimizer.dashboard.view.status import SavingState
from optimizer.execute.records import History
from optimizer.model.decision import Criterion, Verdict, brief, guard
from optimizer.model.health import Assessment, Health
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from tests.dashboard import made_histories as made


@pytest.mark.parametrize(
    ("criterion", "share"),
    [
        (brief("p95 CPU", 5.0, unit="%", at_most=20.0), 0.25),
        (brief("p95 CPU", 25.0, unit="%", below=20.0), 1.25),
        (guard("periods with metrics", 98.0, unit="%", at_least=95.0), 0.4),  # 2 of the 5 % that may be missing
        (guard("readers today", 3, at_least=2), None),  # a condition: nothing is used up
        (guard("obstacles", "none", equals="none"), None),
        (guard("restores", 0, at_most=0), None),
        (guard("restores", 1, at_most=0), 2.0),
        (brief("p95 CPU", None, unit="%", at_most=20.0), None),
    ],
)
def test_share_of_limit(criterion: Criterion, share: float | None) -> None:
    assert share_of_limit(criterion) == (None if share is None else pytest.approx(share))


def test_each_type_has_its_map_of_limits() -> None:
    fleet, cluster = limit_maps(made.plan())
    assert (fleet.kind, fleet.resources) == ("Auto Scaling group", ("tap-fleet · us-east-1",))
    assert dict(zip(fleet.criteria, fleet.shares[0], strict=True)) == {
        "p95 CPU": 0.395,
        "p95 network, of the baseline bandwidth": 0.1867,
        "p95 CPU after the change, one zone lost": 0.7406,
        "p95 network, of the new type's baseline": 0.7,
        "datapoints in the period": 0.06,
    }
    assert cluster.kind == "Aurora cluster"
    assert cluster.criteria == ("cost of the snapshot, share of the saving",)


def test_a_map_of_many_keeps_those_nearest_to_their_limits() -> None:
    record = made.many(100).record
    assert record is not None
    (shown,) = limit_maps(record.plan)
    assert len(shown.resources) == 12
    assert [max(share or 0 for share in row) for row in shown.shares] == [1.5938] * 5 + [1.5] * 5 + [1.4062] * 2
    assert "88 further resources" in shown.left_out


def test_loads_are_laid_out_by_weekday_and_hour() -> None:
    balancer, fleet = load_maps(made.kept_evidence())
    assert (balancer.kind, balancer.unit) == ("Load balancer", "requests an hour")
    assert [len(day) for day in fleet.values] == [24] * 7
    assert fleet.values[0][0] is None
    assert fleet.values[6][23] == made.kept_evidence().loads[1].hours[-1]
    assert "Busiest on Monday, 16:00 UTC with 131,000 requests an hour" in balancer.summary


@pytest.mark.parametrize(
    ("cpu", "level"),
    [(1.0, 2), (7.9, 3), (8.5, 3), (9.5, 4), (10.6, 5)],  # 5.6 times as much after the change, of 60 %
)
def test_likelihood_is_the_least_headroom(cpu: float, level: int) -> None:
    assert likelihood_of(made.fleet_decision(cpu_p95=cpu), made.plan())[0] == level


def test_thin_evidence_makes_it_likelier() -> None:
    decision = made.fleet_decision()
    whole, _ = likelihood_of(decision, made.plan())
    fewer, why = likelihood_of(decision, made.plan(covered_days=45.0))
    assert fewer == whole + 1
    assert "45 of 60 days measured: +1" in why
    lifted = replace(decision, criteria=(*decision.criteria, replace(decision.criteria[-1], verdict=Verdict.LIFTED)))
    more, why = likelihood_of(lifted, made.plan())
    assert more == whole + 1
    assert "1 guard set aside: +1" in why
    silent, why = likelihood_of(replace(decision, unmeasured=("memory of the instances",)), made.plan())
    assert silent == whole + 1
    assert "not measured: memory of the instances: +1" in why


def test_impact_is_what_the_phase_touches_and_whether_there_is_a_way_back() -> None:
    assert impact_of(made.FLEET)[0] == 2
    assert impact_of(made.BACKUPS) == (
        4,
        "holds the data of all tenants: 3; no way back after acceptance: +1",
    )


def test_the_matrix_counts_each_change_once_and_says_why() -> None:
    risks = risks_of(made.plan())
    assert risks is not None
    (cells,) = evidence_charts.matrix(risks).data
    assert sorted(text for row in cells.text for text in row if text) == ["1", "2"]
    first = risks.rows[0]
    assert cells.text[first.likelihood - 1][first.impact - 1] == "1"
    assert "no way back after acceptance" in cells.customdata[first.likelihood - 1][first.impact - 1]
    record = made.many(100).record
    assert record is not None
    many = risks_of(record.plan)
    assert many is not None
    (cells,) = evidence_charts.matrix(many).data
    assert sum(int(text.split("<br>")[0]) for row in cells.text for text in row if text) == len(many.rows)


@pytest.mark.parametrize("plan", [None, made.plan(held="too young"), made.plan(decisions=())])
def test_nothing_to_change_is_nothing_to_weigh(plan: Plan | None) -> None:
    assert risks_of(plan) is None


def test_the_bill_adds_up_by_part_and_phase() -> None:
    bills = bills_of(made.kept_evidence(), made.plan())
    assert bills is not None
    assert bills.columns == ("Before the plan", "After phase 2", "After phase 3")
    assert bills.totals == (made.COSTS.before, Decimal("25076.14"), Decimal("25055.98"))
    assert [row.name for row in bills.parts] == ["Aurora", "EC2 fleet"]
    for place, total in enumerate(bills.totals):
        assert sum(row.amounts[place] for row in bills.parts) == total
        assert sum(row.amounts[place] for row in bills.rows if not row.is_part) == total
    bars = evidence_charts.by_part(bills).data
    assert [list(each.x) for each in bars] == [[float(each) for each in row.amounts] for row in bills.parts]


def test_savings_begin_with_acceptance() -> None:
    history = made.accepted()
    line = timeline_of(history, made.START + timedelta(days=30))
    assert line is not None
    fleet, backups = line.phases
    assert (fleet.begins, fleet.state, fleet.monthly) == (made.ACCEPTED_AT, SavingState.TAKEN, Decimal("6167.04"))
    assert line.low == line.high == fleet.by_end + backups.by_end
    assert line.expected == added_up(fleet, line.as_of) + added_up(backups, line.as_of)
    days = Decimal((line.as_of - fleet.begins) / timedelta(days=1))
    assert added_up(fleet, line.as_of) == pytest.approx(fleet.monthly * days / Decimal("30.4375"))


def test_expected_savings_begin_when_their_windows_end() -> None:
    line = timeline_of(made.observing(), made.PHASE_2 + timedelta(hours=31))
    assert line is not None
    assert [each.begins for each in line.phases] == [made.PHASE_2 + 2 * made.DAYS, made.PHASE_2 + 4 * made.DAYS]
    assert line.low == line.expected == 0 < line.high


def test_a_window_that_cannot_be_judged_is_as_good_as_not_begun() -> None:
    history = made.observing()
    (phase,) = history.phases
    held = replace(phase, assessment=Assessment(Health.INCONCLUSIVE, "no data"))
    as_of = made.PHASE_2 + 5 * made.DAYS
    line = timeline_of(replace(history, phases=(held,)), as_of)
    assert line is not None
    assert line.phases[0].begins == as_of + 2 * made.DAYS


@pytest.mark.parametrize("history", [made.empty(), made.held(), made.kept(), made.rolled_back()])
def test_without_a_saving_there_is_no_timeline(history: History) -> None:
    assert view_of(history).timeline is None


def test_before_and_after_compare_the_same_hours_of_the_week() -> None:
    impact = tenant_impact(made.accepted(), None)
    assert impact is not None
    assert [(row.phase, row.figure) for row in impact.before_after][:3] == [
        ("Phase 2", "Requests an hour"),
        ("Phase 2", "Failed requests"),
        ("Phase 2", "p99 latency, median"),
    ]
    history = made.accepted()
    window = history.windows[Phase.COMPUTE]
    assert impact.before_after[0].after == f"{sum(each.requests or 0 for each in window.samples) / 48:,.0f}"
    assert impact.shared[0].change == "Right-size the fleet"
    assert impact.shared[0].use == "p95 CPU: 7.9 %, 29.62 % after"


def test_tiers_are_shown_as_the_application_published_them() -> None:
    history = made.accepted()
    impact = tenant_impact(history, costs_of(history))
    assert impact is not None
    assert impact.watched == ("Phase 2", "Phase 3")
    assert [(row.tier, row.tenants, row.figure, row.windows[0]) for row in impact.tiers] == [
        ("enterprise", "100", "Requests an hour", ("42,190", "41,913")),
        ("enterprise", "100", "Failed requests", ("0.02 %", "0.03 %")),
        ("enterprise", "100", "p99 latency, median", ("214 ms", "220 ms")),
        ("starter", "–", "Requests an hour", ("–", "14,575")),
        ("starter", "–", "Failed requests", ("–", "0.00 %")),
        ("starter", "–", "p99 latency, median", ("–", "178 ms")),
    ]
    assert impact.riding == "All 2,500 tenants ride on each of them."
    assert impact.cost.startswith("$12.50 a month for each tenant before the plan, $10.02 after what was accepted")
    assert impact.unknown == ()


def test_what_the_application_does_not_say_is_said_to_be_unknown() -> None:
    history = made.accepted()
    assert history.evidence is not None
    windows = {phase: replace(each, tiers=()) for phase, each in history.windows.items()}
    silent = replace(history, windows=windows, evidence=replace(history.evidence, tenants=None))
    impact = tenant_impact(silent, costs_of(silent))
    assert impact is not None
    assert (impact.riding, impact.cost, impact.tiers) == ("", "", ())
    assert impact.unknown == (NOT_COUNTED, NO_TIERS)


def test_a_long_list_is_cut_and_the_rest_is_kept_as_data() -> None:
    view = view_of(made.many(100))
    assert len(view.decisions) == SHOWN
    assert len(view.decisions) + len(view.more_decisions) == 100
    data = decisions_as_data(view.more_decisions)
    assert [row[2] for row in data["rows"]] == [each.resource for each in view.more_decisions]
    assert len(data["texts"]) < 40
    row, shown = data["rows"][0], view.more_decisions[0]
    assert data["texts"][row[1]] == shown.title
    assert [data["criteria"][number][0] for number, _, _ in row[-1]] == [each.name for each in shown.criteria]
    assert split(range(40)) == (tuple(range(40)), ())


@pytest.mark.parametrize("name", made.ALL)
def test_the_page_can_be_made_again_from_its_evidence(name: str, tmp_path: Path) -> None:
    history = made.ALL[name]()
    write_evidence(history, tmp_path)
    assert read_evidence(tmp_path / "evidence.json") == history


def test_the_table_has_a_line_for_every_criterion_and_no_formula() -> None:
    lines = list(csv.DictReader(io.StringIO(decisions_csv(made.rolled_back()))))
    assert len(lines) == sum(len(each.criteria) for each in made.plan().decisions)
    assert (lines[0]["observed"], lines[0]["limit"], lines[0]["saving_usd_a_month"]) == ("7.9", "20.0", "6167.04")
    assert lines[0]["saving_outcome"] == "not taken"
    decision = replace(made.fleet_decision(), reason="=HYPERLINK(1)")
    history = replace(made.proposed(), record=replace(made.proposed().record, plan=made.plan(decisions=(decision,))))  # type: ignore[type-var]
    assert "'=HYPERLINK(1)" in decisions_csv(history)
    assert decisions_csv(made.empty()).strip() == ",".join(COLUMNS)
