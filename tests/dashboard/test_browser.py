"""In a real browser: the page shows the content of journal and plan, to everybody, without network requests."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from optimizer.analyze.evidence import PlanEvidence
from optimizer.dashboard.compose.page import view_of
from optimizer.dashboard.export import read_evidence
from optimizer.dashboard.format import dollars_and_cents, label_in, quantity
from optimizer.dashboard.render import charts_of, write_dashboard
from optimizer.execute.records import History, PhaseState
from optimizer.model.decision import Choice
from optimizer.model.phase import Phase
from tests.dashboard import made_histories as made
from tests.rehearsal.shared import lived

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]  # one browser, and each page written once

CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = (1440, 390)
SECTIONS = (
    "answer",
    "decisions",
    "costs",
    "savings",
    "risks",
    "windows",
    "load",
    "tenants",
    "excluded",
    "events",
    "plan",
)
SITUATIONS = [*made.ALL, "many"]
# What nobody has to scroll a page sideways for: the width of the page itself.
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Visit:
    """One page in the browser, with all its errors and requests."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda it: self.complaints.append(it.text) if it.type in {"error", "warning"} else None)
        page.on("pageerror", lambda it: self.complaints.append(str(it)))
        page.on("dialog", lambda it: (self.complaints.append(f"dialog: {it.message}"), it.dismiss()))
        page.on("request", lambda it: self.asked.append(it.url))

    def draw(self) -> None:
        """See every chart, as a reader who scrolls through the page does."""
        for plot in self.page.locator(".plot").all():
            self._see(plot)

    def chart(self, name: str) -> list[dict[str, Any]]:
        """The data of a chart once it is drawn, trace by trace, without its layout."""
        self._see(self.page.locator(f"#{name}"))
        found: list[dict[str, Any]] = self.page.evaluate(
            """(id) => document.getElementById(id).data.map((each) => JSON.parse(JSON.stringify(each)))""", name
        )
        return found

    def _see(self, plot: Any) -> None:
        plot.evaluate("(it) => it.scrollIntoView({behavior: 'instant'})")
        plot.locator("svg.main-svg").first.wait_for(state="attached")

    def cells(self, selector: str) -> list[list[str]]:
        """The texts of a table's body and foot, row by row."""
        rows: list[list[str]] = self.page.evaluate(
            """(selector) => [...document.querySelectorAll(`${selector} > tbody > tr, ${selector} > tfoot > tr`)].map(
                (row) => [...row.children].map((cell) => cell.textContent.trim().replace(/\\s+/g, " ")))""",
            selector,
        )
        return rows


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's Chromium. On a machine without it these tests skip; where CI=true its absence fails."""
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no chromium on PATH: .ci/run installs it")
        pytest.skip("no chromium on PATH: the pages are not seen by a browser here")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The page of a situation, written once."""
    return cache(lambda name: write_dashboard(getattr(made, name)(), tmp_path_factory.mktemp(name)))


@pytest.fixture(scope="module")
def visit(chromium: Any) -> Iterator[Callable[..., Visit]]:
    """Open a page, offline."""
    contexts: dict[str, Any] = {}

    def see(path: Path, width: int = 1440, scheme: str = "light") -> Visit:
        if scheme not in contexts:
            contexts[scheme] = chromium.new_context(color_scheme=scheme, offline=True)
        it = Visit(contexts[scheme].new_page())
        it.page.set_viewport_size({"width": width, "height": 900})
        it.page.goto(path.as_uri())
        return it

    yield see
    for context in contexts.values():
        context.close()


@pytest.fixture(scope="module")
def accepted(visit: Callable[..., Visit], written: Callable[[str], Path]) -> Visit:
    """The page of a plan that is done, for tests that only read."""
    return visit(written("accepted"))


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_section_is_there_for_everybody(
    name: str, visit: Callable[..., Visit], written: Callable[[str], Path]
) -> None:
    it = visit(written(name))
    for width in WIDTHS:
        it.page.set_viewport_size({"width": width, "height": 900})
        if name == "rolled_back":
            it.draw()
        for section in SECTIONS:
            box = it.page.locator(f"#{section}").bounding_box()
            assert box is not None, section
            assert box["width"] > width / 2, section
            assert box["height"] > 40, section
        assert it.page.evaluate(OVERFLOW) <= 0, f"{width} px"
    assert it.complaints == []
    assert [url for url in it.asked if not url.startswith(("file://", "data:", "blob:"))] == []
    it.page.close()


@pytest.mark.parametrize(
    ("name", "width", "scheme", "drawn"),
    [
        ("accepted", 1440, "light", True),
        ("rolled_back", 390, "dark", False),
        ("many", 1440, "light", False),
        ("reserved", 1440, "dark", True),
        ("empty", 390, "light", False),
    ],
)
def test_nobody_is_shut_out(
    name: str, width: int, scheme: str, drawn: bool, visit: Callable[..., Visit], written: Callable[[str], Path]
) -> None:
    it = visit(written(name), width, scheme)
    if drawn:
        it.draw()
    it.page.evaluate("() => document.querySelectorAll('details').forEach((each, n) => { each.open = n < 2; })")
    assert AXE.is_file(), "npm ci installs axe-core"
    it.page.evaluate(AXE.read_text())
    found = it.page.evaluate(
        "axe.run(document, {resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa']})"
    )
    serious = [
        (each["id"], each["nodes"][0]["html"][:200], each["nodes"][0]["failureSummary"][:300])
        for each in found["violations"]
        if each["impact"] in {"serious", "critical"}
    ]
    assert serious == []
    it.page.close()


def test_charts_hold_what_the_journal_says(accepted: Visit) -> None:
    it, history = accepted, made.accepted()
    record, evidence = history.record, history.evidence
    assert record is not None
    assert record.plan.costs is not None
    assert evidence is not None
    assert evidence.costs is not None

    for phase, window in history.windows.items():
        limit, measured, expected = it.chart(f"chart-latency-{phase.number}")
        assert measured["y"] == [None if each.p99_ms is None else round(each.p99_ms, 3) for each in window.samples]
        assert expected["y"] == [None if each is None else round(each, 3) for each in window.expected_p99_ms]
        assert limit["y"] == pytest.approx([(each or 0) * 1.2 for each in window.expected_p99_ms], abs=0.001)
        _, rates = it.chart(f"chart-errors-{phase.number}")
        assert rates["y"] == pytest.approx(
            [100 * (each.target_5xx or 0) / (each.requests or 1) for each in window.samples], abs=0.001
        )

    (bars,) = it.chart("chart-costs")
    costs = record.plan.costs
    assert bars["x"] == [float(each) for each in (costs.before, *(s.monthly for s in costs.savings), costs.after)]

    parts = {each["name"]: each["x"] for each in it.chart("chart-bills")}
    for name, part in (("EC2 fleet", "fleet"), ("Aurora", "database")):
        lines = [each for each in evidence.costs if each.part == part]
        assert parts[name] == pytest.approx(
            [float(sum(each.today for each in lines)), *(float(sum(each.after[n] for each in lines)) for n in (1, 2))]
        )

    for number, load in enumerate(evidence.loads, start=1):
        (heat,) = it.chart(f"chart-load-{number}")
        assert [value for day in heat["z"] for value in day] == list(load.hours)

    (limits,) = it.chart("chart-limits-1")
    fleet = {each.name: each for each in made.fleet_decision().criteria}
    after = fleet["p95 CPU after the change, one zone lost"]
    assert limits["z"][0][0] == pytest.approx(float(after.observed or 0) / 60, abs=1e-4)  # the nearest first
    assert limits["z"][2][0] == pytest.approx(float(fleet["p95 CPU"].observed or 0) / 20, abs=1e-4)

    (risks,) = it.chart("chart-risks")
    assert sorted(text for row in risks["text"] for text in row if text) == ["1", "2"]

    bands = it.chart("chart-timeline")
    begins = {each.phase: each.accepted_at for each in history.phases}
    end = record.proposed_at + timedelta(days=365)
    for band, phase, saving in zip(bands, (Phase.COMPUTE, Phase.DATABASE), costs.savings, strict=False):
        begun = begins[phase]
        assert begun is not None
        months = Decimal((end - begun) / timedelta(days=1)) / Decimal("30.4375")
        assert band["y"][-1] == pytest.approx(float(saving.monthly * months), abs=0.01)


def test_tables_hold_what_plan_and_journal_say(accepted: Visit) -> None:
    it, history = accepted, made.accepted()
    record = history.record
    assert record is not None
    assert record.plan.costs is not None
    rows = it.page.locator(".decisions .entry")
    assert rows.count() == len(record.plan.decisions)
    titles = {each.id: each.title for each in record.plan.actions}
    for row, decision, saving in zip(rows.all(), record.plan.decisions, record.plan.costs.savings, strict=True):
        text = " ".join(row.text_content().split())
        for expected in (
            titles[decision.action],
            label_in(decision.resource),
            decision.choice.value.capitalize(),
            "Accepted",
            "Healthy",
            dollars_and_cents(saving.monthly),
            decision.undo,
        ):
            assert expected in text
        criteria = [
            [each.text_content().strip() for each in line.locator("th, td").all()]
            for line in row.locator(".criteria tbody tr").all()
        ]
        assert [[cells[0], cells[1], cells[2], cells[3], cells[4], cells[7]] for cells in criteria] == [
            [c.name, quantity(c.observed, ""), c.comparison, quantity(c.limit, ""), c.unit, c.origin.value]
            for c in decision.criteria
        ]
        moves = [" ".join(each.text_content().split()) for each in row.locator(".moves li > span:nth-child(2)").all()]
        mine = [each for each in history.moves if each.resource == decision.resource]
        assert moves == [f"{each.summary} one-way" if each.one_way else each.summary for each in mine]

    bill = it.cells(".bill")
    assert [row[-1] for row in bill][:1] == [dollars_and_cents(record.plan.costs.before)]
    assert [row[-1] for row in bill][1:3] == [dollars_and_cents(-s.monthly) for s in record.plan.costs.savings]
    assert it.cells(".parts")[-1][1:] == ["$31,243.18", "$25,076.14", "$25,055.98"]
    assert [row[0] for row in it.cells("#excluded table")] == [each.name for each in record.plan.excluded]
    events = [each.text_content() for each in it.page.locator(".events li > span:last-child").all()]
    assert events == [each.text for each in view_of(history).events]
    assert len(events) == len(history.events)
    assert record.plan.hash in it.page.locator("#plan").text_content()
    latency = [row[2:] for row in it.cells(".before-after") if row[1].startswith("p99")]
    assert len(latency) == 2
    assert all(cell.endswith(" ms") for row in latency for cell in row)
    enterprise = it.cells(".tiers")[0]
    assert enterprise == ["enterprise", "100", "Requests an hour", *["42,190", "41,913"] * 2]


def with_sample(history: History) -> History:
    window = history.windows[Phase.COMPUTE]
    sample = replace(window.samples[10], p99_ms=999.0)
    changed = replace(window, samples=(*window.samples[:10], sample, *window.samples[11:]))
    return replace(history, windows={**history.windows, Phase.COMPUTE: changed})


def with_load(history: History) -> History:
    evidence = history.evidence
    assert evidence is not None
    balancer = replace(evidence.loads[0], hours=(77_777.0, *evidence.loads[0].hours[1:]))
    return replace(history, evidence=PlanEvidence((balancer, *evidence.loads[1:]), evidence.costs))


def with_bill(history: History) -> History:
    evidence = history.evidence
    assert evidence is not None
    assert evidence.costs is not None
    line = replace(evidence.costs[0], today=Decimal("8410.61"))
    return replace(history, evidence=PlanEvidence(evidence.loads, (line, *evidence.costs[1:])))


def with_criterion(history: History) -> History:
    record = history.record
    assert record is not None
    first, *others = record.plan.decisions
    changed = replace(first, criteria=(replace(first.criteria[0], observed=13.37), *first.criteria[1:]))
    return replace(history, record=replace(record, plan=replace(record.plan, decisions=(changed, *others))))


def with_state(history: History) -> History:
    first, *others = history.phases
    return replace(history, phases=(replace(first, state=PhaseState.ROLLED_BACK), *others))


@pytest.mark.parametrize(
    ("change", "read"),
    [
        (with_sample, lambda it: it.chart("chart-latency-2")[1]["y"][10]),
        (with_load, lambda it: it.chart("chart-load-1")[0]["z"][0][0]),
        (with_bill, lambda it: it.cells(".parts")[-1][1]),
        (with_criterion, lambda it: it.page.locator(".criteria td").first.text_content()),
        (with_criterion, lambda it: it.chart("chart-limits-1")[0]["z"][:4]),
        (with_state, lambda it: it.page.locator(".decisions .entry [data-label=State]").first.text_content()),
    ],
)
def test_one_changed_value_of_the_journal_changes_the_page(
    change: Callable[[History], History],
    read: Callable[[Visit], object],
    accepted: Visit,
    visit: Callable[..., Visit],
    tmp_path: Path,
) -> None:
    changed = visit(write_dashboard(change(made.accepted()), tmp_path))
    assert read(accepted) != read(changed)
    changed.page.close()


def test_the_bill_and_what_is_net_are_those_of_the_journal(
    visit: Callable[..., Visit], written: Callable[[str], Path]
) -> None:
    it, money = visit(written("reserved")), made.money()
    listed, ahead = it.chart("chart-months")[-2:]
    january = sum(float(each.effective_cost) for each in money.months if each.month == made.MONTHS[0])
    bars = it.chart("chart-months")[:-2]
    assert sum(each["y"][0] for each in bars) == pytest.approx(january)
    assert listed["y"][0] == pytest.approx(january + 800)
    bill = view_of(made.reserved()).monthly
    assert bill is not None
    assert ahead["y"] == [float(each.cost) for each in bill.ahead]
    assert bill.ahead[0].cost < money.forecast[0].cost  # the footprint after what was accepted
    assert [row[1:4] for row in it.cells(".net")] == [
        ["$6,167.04", "$3,517.04", "from 15 Sep 2027: $6,167.04"],
        ["$20.16", "$20.16", "the same"],
    ]
    assert [row[1:] for row in it.cells(".totals")][-1] == ["$12.50", "$2,662.50"]
    assert it.cells(".commitments") == [["m5.4xlarge, 240 units reserved", "us-east-1", "$2,650.00", "15 Sep 2027"]]
    assert it.chart("chart-timeline")[-1]["y"] == [800, 1600]
    assert it.complaints == []
    it.page.close()


def test_a_decision_is_opened_by_keyboard(visit: Callable[..., Visit], written: Callable[[str], Path]) -> None:
    it = visit(written("accepted"))
    criteria = it.page.locator("#decision-1 .criteria")
    assert not criteria.is_visible()
    for _ in range(40):
        it.page.keyboard.press("Tab")
        if it.page.evaluate("() => document.activeElement.matches('#decision-1 > summary')"):
            break
    it.page.keyboard.press("Enter")
    assert criteria.is_visible()
    outline = "() => getComputedStyle(document.activeElement).outlineStyle"
    assert it.page.evaluate(outline) != "none", "nobody sees where the focus is"
    it.page.keyboard.press("Enter")
    assert not criteria.is_visible()
    it.page.close()


def test_paper_holds_every_criterion_and_every_chart(
    visit: Callable[..., Visit], written: Callable[[str], Path]
) -> None:
    it = visit(written("accepted"), scheme="dark")
    it.page.emulate_media(media="print")
    plots = it.page.locator(".plot")
    for plot in plots.all():
        plot.locator("svg.main-svg").first.wait_for(state="attached")
    assert plots.count() == len(charts_of(view_of(made.accepted())))
    criteria = it.page.locator(".criteria tbody tr")
    record = made.accepted().record
    assert record is not None
    assert criteria.count() == sum(len(each.criteria) for each in record.plan.decisions)
    assert all(each.is_visible() for each in criteria.all())
    assert it.page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    it.page.emulate_media(media="screen")
    it.page.wait_for_function("() => !document.querySelector('details[open]')")
    assert it.complaints == []
    it.page.close()


def test_the_engines_own_journal_makes_a_page(visit: Callable[..., Visit]) -> None:
    life = lived("errors")
    assert life.code == 0
    it = visit(life.out / "dashboard.html")
    history = read_evidence(life.out / "evidence.json")
    assert history.record is not None
    it.draw()
    assert it.page.locator("h1").text_content() == "Phase 1 (DynamoDB) was rolled back"
    assert it.page.locator(".decisions .entry").count() == len(history.record.plan.decisions)
    measured = it.chart("chart-latency-1")[1]["y"]
    window = history.windows[Phase.NON_CRITICAL]
    assert [each for each in measured if each is not None] == [
        round(each.p99_ms, 3) for each in window.samples if each.p99_ms is not None
    ]
    events = [each.text_content() for each in it.page.locator(".events li > span:last-child").all()]
    assert events == [each.text for each in view_of(history).events]
    assert len(events) == len(history.events)
    for width in WIDTHS:
        it.page.set_viewport_size({"width": width, "height": 900})
        it.page.wait_for_function(f"() => {OVERFLOW} <= 0")  # drawn charts follow the width a moment later
    assert it.complaints == []
    it.page.close()


def test_hostile_names_do_nothing(visit: Callable[..., Visit], written: Callable[[str], Path]) -> None:
    it = visit(written("hostile"))
    it.draw()
    assert "owned" not in it.page.title()
    assert it.page.locator("img").count() == 0
    assert "</script><script>" in it.page.locator("#decisions").text_content()
    assert "\u202e" not in it.page.content()
    assert it.complaints == []


def test_a_thousand_resources_are_found_by_searching(
    visit: Callable[..., Visit], written: Callable[[str], Path]
) -> None:
    record = made.many().record
    assert record is not None
    it = visit(written("many"))
    entries = it.page.locator(".decisions .entry:visible")
    assert entries.count() == 20
    wanted = next(each for each in record.plan.decisions if label_in(each.resource) == "team-0003")
    it.page.get_by_label("Search the decisions").fill("TEAM-0003")
    it.page.wait_for_function("() => document.querySelectorAll('.decisions .entry:not([hidden])').length === 1")
    entry = it.page.locator(".decisions .entry:visible")
    assert {Choice.APPLY: "Apply", Choice.KEEP: "Keep"}[wanted.choice] in entry.text_content()
    entry.locator("summary").click()
    it.page.wait_for_selector(".found-criteria li")
    told = [each.text_content() for each in entry.locator(".found-criteria li").all()]
    assert len(told) == len(wanted.criteria)
    for line, criterion in zip(told, wanted.criteria, strict=True):
        assert f"{criterion.name}: {quantity(criterion.observed, '')}" in line
    it.page.get_by_label("Search the decisions").fill("nobody-has-this-name")
    it.page.wait_for_function(
        "() => document.querySelector('#decisions [role=status]').textContent === 'Nothing found.'"
    )
    it.page.get_by_label("Search the decisions").fill("")
    it.page.wait_for_function("() => document.querySelectorAll('.decisions .entry:not([hidden])').length === 20")
    it.page.get_by_label("Search what is left alone").fill("owned-0999")
    it.page.wait_for_function("() => document.querySelectorAll('#excluded tbody tr:not([hidden])').length === 1")
    assert it.complaints == []


def test_a_page_does_not_grow_with_the_account(visit: Callable[..., Visit], tmp_path: Path) -> None:
    """A browser lays out the same number of elements for 100 and 1,000; benchmarks/dashboard.py measures the time."""
    elements = {
        number: visit(write_dashboard(made.many(number), tmp_path / str(number))).page.evaluate(
            "() => document.querySelectorAll('*').length"
        )
        for number in (100, 1000)
    }
    assert elements[1000] <= 1.02 * elements[100], elements


def sheets(it: Visit) -> int:
    """The number of pages that the browser prints."""
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", it.page.pdf(prefer_css_page_size=True)))


def test_print_is_at_most_fifteen_pages_and_the_first_stands_alone(visit: Callable[..., Visit]) -> None:
    it = visit(lived("quiet").out / "dashboard.html")
    assert sheets(it) <= 15, "printed from the screen, as a person does"
    it.page.emulate_media(media="print")
    for plot in it.page.locator(".plot").all():
        plot.locator("svg.main-svg").first.wait_for(state="attached")
    assert sheets(it) <= 15
    assert it.page.evaluate("() => getComputedStyle(document.querySelector('.hero')).breakAfter") == "page"
    assert it.page.locator(".kept").first.evaluate("(it) => it.open") is False
    it.page.close()


def test_heat_maps_fit_a_wide_page(visit: Callable[..., Visit]) -> None:
    it = visit(lived("quiet").out / "dashboard.html")
    it.draw()
    wide = "(it) => it.scrollWidth - it.clientWidth"
    assert [each.evaluate(wide) for each in it.page.locator(".heat .scroll").all()] == [0] * it.page.locator(
        ".heat .scroll"
    ).count()
    it.page.close()
