"""Charts of costs and windows: small functions from a part of the View to a Plotly figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import plotly.graph_objects as go

from optimizer.dashboard.figures.style import DROPPED, INK, LIMIT, MAIN, POSSIBLE, SOFT, TAKEN, axis_time, framed, plain
from optimizer.dashboard.format import dollars, short_moment
from optimizer.dashboard.view.limits import ERROR_LIMIT
from optimizer.dashboard.view.page import Costs, Milestone, WindowView
from optimizer.dashboard.view.status import SavingState

STATE_COLOURS = {SavingState.TAKEN: TAKEN, SavingState.PROJECTED: POSSIBLE, SavingState.DROPPED: DROPPED}


def cost_steps(costs: Costs) -> go.Figure:
    """Before, what each change takes off, and where that leaves the month: bars that hang from one another."""
    bars = [_Bar("Before the plan", Decimal(0), costs.before, SOFT, dollars(costs.before))]
    level = costs.before
    titles = Counter(step.label for step in costs.shown)
    for step in costs.shown:
        text = f"{dollars(-step.monthly)} {step.state.value}" if step.monthly else f"$0 {step.state.value}"
        label = step.label if titles[step.label] == 1 else step.resource  # one change of many resources
        bars.append(_Bar(label, level - step.monthly, step.monthly, STATE_COLOURS[step.state], text))
        if step.state is not SavingState.DROPPED:
            level -= step.monthly
    bars.append(_Bar(costs.standing_label, Decimal(0), costs.standing, MAIN, dollars(costs.standing)))
    places = list(range(len(bars), 0, -1))
    figure = framed(
        go.Bar(
            orientation="h",
            y=places,
            base=[float(bar.start) for bar in bars],
            x=[float(bar.length) for bar in bars],
            customdata=[[plain(bar.label), bar.text] for bar in bars],
            hovertemplate="%{customdata[0]}<br>%{customdata[1]}<extra></extra>",
            marker={"color": [bar.colour for bar in bars]},
            width=0.34,
        ),
        height=24 + 56 * len(bars),
    )
    figure.update_xaxes(visible=False, range=[0, float(costs.before) * 1.001])
    figure.update_yaxes(visible=False, range=[0.6, len(bars) + 0.75])
    for place, bar in zip(places, bars, strict=True):
        _caption(figure, place, plain(bar.label), "left")
        _caption(figure, place, bar.text, "right")
    return figure


def latency(window: WindowView) -> go.Figure:
    """p99 latency against what the baseline lets expect, and its limit of +20 %."""
    figure = framed(
        _line(window, window.limit_ms, "Limit, +20 %", LIMIT, dash="dash"),
        _line(window, window.p99_ms, "p99", MAIN),
        _line(window, window.expected_ms, "Expected", INK, dash="dot"),
    )
    figure.update_traces(hovertemplate="%{y:,.0f} ms<extra>%{fullData.name}</extra>")
    known = [each for each in (*window.p99_ms, *window.limit_ms) if each is not None]
    return _over_time(figure, window, top=max(known, default=1.0), suffix=" ms")


def errors(window: WindowView) -> go.Figure:
    """Error rate in percent against its limit of 0.5 %."""
    rates = [None if each is None else each * 100 for each in window.error_rate]
    limit = [ERROR_LIMIT * 100] * len(rates)
    figure = framed(
        _line(window, limit, "Limit, 0.5 %", LIMIT, dash="dash"),
        _line(window, rates, "Error rate", MAIN, fill="tozeroy"),
        height=220,
    )
    figure.update_traces(hovertemplate="%{y:.2f} %<extra>%{fullData.name}</extra>")
    highest = max((each for each in rates if each is not None), default=0.0)
    return _over_time(figure, window, top=max(highest, ERROR_LIMIT * 100), suffix=" %")


@dataclass(frozen=True)
class _Bar:
    """One bar of the cost chart, in US dollars a month, with the words that stand over it."""

    label: str
    start: Decimal
    length: Decimal
    colour: str
    text: str


def _caption(figure: go.Figure, place: int, text: str, side: str) -> None:
    """Words over a bar, at one edge of the chart: they never collide with the bars."""
    figure.add_annotation(
        x=0 if side == "left" else 1, xref="paper", xanchor=side, y=place + 0.2, yanchor="bottom",
        text=text, showarrow=False, font={"size": 13, "color": INK},
    )  # fmt: skip


def _line(
    window: WindowView,
    values: Sequence[float | None],
    name: str,
    colour: str,
    dash: str = "solid",
    fill: str | None = None,
) -> go.Scatter:
    """One series over a window's even periods; a missing value is a gap, never a bridge."""
    return go.Scatter(
        x0=axis_time(window.start),
        dx=window.period.total_seconds() * 1000,
        y=[None if each is None else round(each, 3) for each in values],
        name=name,
        mode="lines",
        line={"color": colour, "width": 1.75 if dash == "solid" else 1.5, "dash": dash},
        connectgaps=False,
        fill=fill,
    )


def _over_time(figure: go.Figure, window: WindowView, top: float, suffix: str) -> go.Figure:
    """Axes of a window's chart, from zero, with its milestones marked."""
    figure.update_layout(hovermode="x unified", margin={"l": 60, "t": 44})
    figure.update_xaxes(
        type="date", tickformat="%H:%M\n%-d %b", nticks=5, tickangle=0, showgrid=False, hoverformat="%a %H:%M UTC"
    )
    figure.update_yaxes(range=[0, top * 1.1], nticks=5, ticksuffix=suffix, automargin=False)
    for number, milestone in enumerate(_within(window)):
        at = axis_time(milestone.at)
        late = milestone.at - window.start > (window.end - window.start) / 2
        figure.add_shape(type="line", x0=at, x1=at, y0=0, y1=1, yref="paper", line={"color": INK, "width": 1})
        figure.add_annotation(
            x=at, xanchor="right" if late else "left", y=1, yref="paper", yanchor="bottom", yshift=15 * (number % 2),
            text=milestone.label, showarrow=False, font={"size": 12, "color": INK},
        )  # fmt: skip
    return figure


def _within(window: WindowView) -> list[Milestone]:
    """The milestones on the chart's time axis, or so close after it that the axis can reach them.

    What came before the first period stands at the chart's left edge, with its time; what came just before, without.
    """
    margin = (window.end - window.start) * 0.1 + window.period
    early = [
        replace(each, at=window.start, label=f"{each.label}{_when(each.at, window)}")
        for each in window.milestones
        if each.at < window.start
    ]
    return [*early, *(each for each in window.milestones if window.start <= each.at <= window.end + margin)]


def _when(at: datetime, window: WindowView) -> str:
    """The time of what came before the first period, with its day where that is another."""
    if window.start - at < window.period:
        return ""
    return f" {at:%H:%M} UTC" if at.date() == window.start.date() else f" {short_moment(at)}"
