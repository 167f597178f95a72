"""From the View to one HTML file that opens offline and asks the network for nothing.

Everything from elsewhere is escaped by the template (its name ends in .html: autoescape is on) and
by the JSON encoding here; a Content-Security-Policy lets only the page's own two scripts run.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from optimizer.dashboard.compose.long_lists import decisions_as_data
from optimizer.dashboard.compose.page import view_of
from optimizer.dashboard.export import write_evidence
from optimizer.dashboard.figures import costs_and_windows as charts
from optimizer.dashboard.figures import evidence as evidence_charts
from optimizer.dashboard.figures import money as money_charts
from optimizer.dashboard.figures.style import TOKENS
from optimizer.dashboard.format import date_of, day, dollars, dollars_and_cents, interval, moment, month_of, visible
from optimizer.dashboard.view.page import View
from optimizer.execute.records import History
from optimizer.model.decision import finite

# The bundle of the plotly.js version that plotly itself carries, without maps and 3D: it is a third in size.
PLOTLY = "plotly-cartesian-4.1.1.min.js"


@dataclass(frozen=True)
class Chart:
    """One figure, ready for the page. `height` is in CSS pixels, so that nothing moves when it is drawn."""

    id: str
    json: Markup
    height: int


def write_dashboard(history: History, out: Path, now: datetime | None = None) -> Path:
    """Write `dashboard.html` and its evidence into `out`; returns the page's path. `now` as for `view_of`."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "dashboard.html"
    path.write_text(render(view_of(history, now)), encoding="utf-8")
    write_evidence(history, out)
    return path


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("optimizer.dashboard"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        finalize=lambda it: visible(it) if type(it) is str else it,  # Markup is the package's own
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["interval"] = interval
    environment.filters |= {
        "cents": dollars_and_cents,
        "dollars": dollars,
        "day": day,
        "date": date_of,
        "month": month_of,
        "moment": moment,
    }
    return environment


def render(view: View) -> str:
    """The page as text."""
    scripts = {"plotly": asset(PLOTLY), "page": asset("dashboard.js")}
    return (
        _environment()
        .get_template("dashboard.html")
        .render(
            view=view,
            charts=charts_of(view),
            tokens=embedded(TOKENS),
            rest=_rest(view),
            # The assets are the package's own and hold no closing tag (a test says so).
            style=Markup(asset("dashboard.css")),  # noqa: S704
            scripts={name: Markup(text) for name, text in scripts.items()},  # noqa: S704
            hashes=[_hash(text) for text in scripts.values()],
        )
    )


def charts_of(view: View) -> Mapping[str, Chart]:
    """All figures of the page, by id."""
    shown: dict[str, tuple[Callable[[Any], go.Figure], object]] = {}
    if view.costs and view.costs.steps:
        shown["chart-costs"] = charts.cost_steps, view.costs
    if view.bills:
        shown["chart-bills"] = evidence_charts.by_part, view.bills
    if view.monthly:
        shown["chart-months"] = money_charts.by_month, view.monthly
    if view.timeline:
        shown["chart-timeline"] = evidence_charts.savings, view.timeline
    if view.earlier:
        shown["chart-earlier"] = evidence_charts.savings, view.earlier
    if view.risks:
        shown["chart-risks"] = evidence_charts.matrix, view.risks
    for number, limit_map in enumerate(view.limits, start=1):
        shown[f"chart-limits-{number}"] = evidence_charts.limits, limit_map
    for number, load_map in enumerate(view.loads, start=1):
        shown[f"chart-load-{number}"] = evidence_charts.load, load_map
    for window in view.windows:
        shown[f"chart-latency-{window.phase.number}"] = charts.latency, window
        shown[f"chart-errors-{window.phase.number}"] = charts.errors, window
    return {name: _drawn(name, draw, _Shown(repr(of), of)) for name, (draw, of) in shown.items()}


@dataclass(frozen=True)
class _Shown:
    """The values of a figure, compared by their text: most pages of one process show the same."""

    text: str
    of: Any = field(compare=False)


@lru_cache(maxsize=64)
def _drawn(name: str, draw: Callable[[Any], go.Figure], shown: _Shown) -> Chart:
    """A figure, drawn once of the same values."""
    figure = draw(shown.of)
    return Chart(name, embedded(json.loads(figure.to_json())), figure.layout.height)


def _rest(view: View) -> Mapping[str, str]:
    """The rows that the page's search finds beyond those it shows, by list, compressed."""
    rest: dict[str, Any] = {}
    if view.more_decisions:
        rest["decisions"] = decisions_as_data(view.more_decisions)
    for name, more in (("excluded", view.more_excluded), ("not-carried-out", view.more_not_carried_out)):
        if more:
            rows = [[each.name, each.kind, each.region, each.reason] for each in more]
            rest[name] = [[visible(cell) for cell in row] for row in rows]
    if view.more_events:
        rest["events"] = [[visible(cell) for cell in (it.at, it.phase, it.text)] for it in view.more_events]
    return {name: compressed(value) for name, value in rest.items()}


def compressed(value: Any) -> str:
    """A value as JSON, deflated, in base64: what the page's DecompressionStream reads."""
    return base64.b64encode(
        zlib.compress(json.dumps(finite(value), separators=(",", ":"), allow_nan=False).encode(), 9)
    ).decode()


def embedded(value: Any) -> Markup:
    """A value as JSON that can stand inside a script element: no character in it can end the element."""
    text = json.dumps(finite(value), separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704


@cache
def asset(name: str) -> str:
    """One of the files that ship with the page."""
    return files("optimizer.dashboard").joinpath("assets", name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """The source expression that lets a browser run exactly this script."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
