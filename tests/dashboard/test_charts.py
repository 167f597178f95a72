"""The figures hold the view's numbers, gaps and marks, and no markup from elsewhere."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from optimizer.dashboard.compose.page import view_of
from optimizer.dashboard.figures import costs_and_windows as charts
from optimizer.dashboard.figures import style as frame
from optimizer.dashboard.view.page import Costs, Milestone, WindowView
from tests.dashboard import made_histories as made


def costs(history: Callable[[], Any]) -> Costs:
    found = view_of(history()).costs
    assert found is not None
    return found


def window(history: Callable[[], Any]) -> WindowView:
    return view_of(history()).windows[0]


def trace(figure: Any, name: str) -> Any:
    return next(each for each in figure.data if each.name == name)


def test_bars_hang_from_one_another() -> None:
    (bars,) = charts.cost_steps(costs(made.accepted)).data
    assert list(bars.base) == [0, 25076.14, 25055.98, 0]
    assert list(bars.x) == [31243.18, 6167.04, 20.16, 25055.98]
    assert [text for _, text in bars.customdata] == ["$31,243", "−$6,167 saved", "−$20 saved", "$25,056"]


def test_a_dropped_saving_lowers_nothing() -> None:
    (bars,) = charts.cost_steps(costs(made.rolled_back)).data
    assert list(bars.base) == [0, 25076.14, 31223.02, 0]
    assert bars.x[-1] == bars.x[0] == 31243.18


def test_latency_holds_measured_expected_and_limit() -> None:
    seen = window(made.rolled_back)
    figure = charts.latency(seen)
    assert list(trace(figure, "p99").y) == [round(each or 0, 3) for each in seen.p99_ms]
    assert list(trace(figure, "Expected").y) == [round(each or 0, 3) for each in seen.expected_ms]
    assert trace(figure, "Limit, +20 %").y[0] == round((seen.expected_ms[0] or 0) * 1.2, 3)
    assert trace(figure, "p99").x0 == "2027-03-01 10:00"
    assert trace(figure, "p99").dx == 300_000


def test_errors_are_percent_against_half_a_percent() -> None:
    seen = window(made.accepted)
    figure = charts.errors(seen)
    assert max(trace(figure, "Error rate").y) == pytest.approx(
        max(each or 0 for each in seen.error_rate) * 100, abs=1e-3
    )
    assert set(trace(figure, "Limit, 0.5 %").y) == {0.5}
    assert figure.layout.yaxis.range[1] > 0.5


def test_milestones_stand_at_their_time_in_utc() -> None:
    figure = charts.latency(window(made.rolled_back))
    marked = {note.text: note.x for note in figure.layout.annotations}
    assert marked == {
        "Apply began 09:10 UTC": "2027-03-01 10:00",  # before the chart begins
        "Window opens": "2027-03-01 10:00",
        "Rolled back": "2027-03-01 19:00",
    }
    assert [shape.x0 for shape in figure.layout.shapes] == list(marked.values())


def test_a_gap_stays_a_gap() -> None:
    seen = window(made.accepted)
    holed = type(seen)(**{**vars(seen), "p99_ms": (None, *seen.p99_ms[1:])})
    line = trace(charts.latency(holed), "p99")
    assert line.y[0] is None
    assert line.connectgaps is False


def test_labels_hold_no_markup() -> None:
    assert frame.plain("<a href='x'>y</a> & z") == "&lt;a href='x'&gt;y&lt;/a&gt; &amp; z"
    assert len(frame.plain("x" * 300)) == frame.LABEL_LENGTH
    assert "\u202e" not in frame.plain("\u202eevil")


def test_every_colour_is_a_token_of_the_page() -> None:
    for figure in (charts.cost_steps(costs(made.accepted)), charts.latency(window(made.accepted))):
        assert set(re.findall(r"#[0-9a-fA-F]{6}", figure.to_json())) <= set(frame.TOKENS)


def test_a_window_that_opens_within_its_first_period_needs_no_time() -> None:
    seen = window(made.rolled_back)
    minutes = {"Window opens": 3, "Apply began": 3 * 24 * 60}
    early = tuple(Milestone(seen.start - timedelta(minutes=each), name) for name, each in minutes.items())
    marked = [note.text for note in charts.latency(replace(seen, milestones=early)).layout.annotations]
    assert marked == ["Window opens", "Apply began 26 Feb, 10:00 UTC"]
