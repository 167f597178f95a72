"""Charts of the evidence: heat maps, risk matrix, bill by part, savings over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

import plotly.graph_objects as go

from optimizer.dashboard.compose.heat_maps import BEYOND, DAYS
from optimizer.dashboard.compose.risks import HIGHEST
from optimizer.dashboard.compose.timeline import added_up
from optimizer.dashboard.figures.style import (
    COOL,
    HOT,
    INK,
    MAIN,
    MILD,
    PAPER,
    PARTS,
    PENDING,
    POSSIBLE,
    TAKEN,
    WARM,
    axis_time,
    framed,
    plain,
    whiskers,
)
from optimizer.dashboard.format import day, dollars
from optimizer.dashboard.view.evidence import Bills, LimitMap, LoadMap, PhaseSaving, RiskRow, Risks, Timeline
from optimizer.dashboard.view.status import SavingState

# A share of the limit, and its colour: up to half, up to 80 %, up to the limit, beyond.
BANDS = ((0.0, COOL), (0.5, MILD), (0.8, WARM), (1.0, HOT))
TOP = 1.25  # shares from here on look alike
HOURS = (0, 6, 12, 18, 23)
LISTED = 3  # changes of one cell of the matrix that are told by their numbers
NAMED = 5  # changes named when a cell of the matrix is pointed at
LEAST_LABEL = 0.13  # of the chart's width: room for a part's name


def limits(heat: LimitMap) -> go.Figure:
    """Resource by criterion: how much of the limit is used, in four bands. A few resources are the columns."""
    shares = [[None if each is None else min(each, TOP) for each in row] for row in heat.shares]
    texts = [["–" if each is None else _percent(each) for each in row] for row in heat.shares]
    hovers = [
        ["<br>".join((plain(resource, 60), plain(name, 80), plain(words, 120)))
         for name, words in zip(heat.criteria, row, strict=True)]
        for resource, row in zip(heat.resources, heat.told, strict=True)
    ]  # fmt: skip
    if heat.upright:
        shares, texts, hovers = (list(map(list, zip(*rows, strict=True))) for rows in (shares, texts, hovers))
    trace = go.Heatmap(
        x=list(range(len(shares[0]))),
        y=list(range(len(shares))),
        z=shares,
        text=texts,
        customdata=hovers,
        texttemplate="%{text}",
        hovertemplate="%{customdata}<extra></extra>",
        hoverongaps=False,
        colorscale=_banded(),
        zmin=0,
        zmax=TOP,
        showscale=False,
        xgap=3,
        ygap=3,
    )  # fmt: skip
    rows, columns = (heat.criteria, heat.resources) if heat.upright else (heat.resources, heat.criteria)
    names = [_wrapped(name, 26 if heat.upright else 16) for name in columns]
    labels = [_wrapped(name, 26) if heat.upright else plain(name, 34) for name in rows]
    figure = framed(trace, height=40 + 17 * max(name.count("<br>") + 1 for name in names) + 36 * len(labels))
    figure.update_xaxes(
        side="top", showgrid=False, tickvals=list(range(len(columns))), tickangle=0, ticktext=names, ticks="",
    )  # fmt: skip
    figure.update_yaxes(
        autorange="reversed", showgrid=False, tickvals=list(range(len(labels))), ticktext=labels, ticks="",
        ticksuffix="  ",
    )  # fmt: skip
    return figure


def load(heat: LoadMap) -> go.Figure:
    """Weekday by hour: darker is busier."""
    trace = go.Heatmap(
        x=list(range(24)),
        y=list(DAYS),
        z=[list(row) for row in heat.values],
        hovertemplate="%{y}, %{x}:00 UTC<br>%{z:,.4~g} " + plain(heat.unit, 40) + "<extra></extra>",
        hoverongaps=False,
        colorscale=[[0, COOL], [1, MAIN]],
        showscale=False,
        xgap=2,
        ygap=2,
    )
    figure = framed(trace, height=250)
    figure.update_xaxes(showgrid=False, tickvals=HOURS, ticktext=[f"{hour:02d}:00" for hour in HOURS], ticks="")
    figure.update_yaxes(
        autorange="reversed", showgrid=False, tickvals=list(DAYS), ticktext=[name[:3] for name in DAYS], ticks="",
        ticksuffix="  ",
    )  # fmt: skip
    return figure


def matrix(risks: Risks) -> go.Figure:
    """Likelihood by impact: each cell counts the changes in it; pointing at it names them with the reasons."""
    steps = range(1, HIGHEST + 1)
    cells: dict[tuple[int, int], list[RiskRow]] = defaultdict(list)
    for row in risks.rows:
        cells[row.likelihood, row.impact].append(row)
    grid = [[cells.get((likelihood, impact), []) for impact in steps] for likelihood in steps]
    trace = go.Heatmap(
        x=list(steps),
        y=list(steps),
        z=[[likelihood * impact for impact in steps] for likelihood in steps],
        text=[[_numbered(rows) for rows in line] for line in grid],
        customdata=[[_named(rows) for rows in line] for line in grid],
        texttemplate="%{text}",
        textfont={"size": 15},
        hovertemplate="%{customdata}<extra></extra>",
        colorscale=[[0, COOL], [0.2, COOL], [0.2, MILD], [0.4, MILD], [0.4, WARM], [0.64, WARM], [0.64, HOT], [1, HOT]],
        zmin=0,
        zmax=HIGHEST**2,
        showscale=False,
        xgap=3,
        ygap=3,
    )
    figure = framed(trace, height=340)
    figure.update_layout(margin={"l": 56, "b": 52})
    figure.update_xaxes(title=_axis("Impact"), showgrid=False, tickvals=list(steps), ticks="")
    figure.update_yaxes(
        title=_axis("Likelihood"), showgrid=False, tickvals=list(steps), ticks="", ticksuffix="  ", automargin=False
    )
    return figure


def by_part(bills: Bills) -> go.Figure:
    """One bar for today and one after each phase, each stacked by part."""
    width = float(max(bills.totals)) or 1.0
    columns = list(bills.columns)
    places = list(range(len(columns), 0, -1))
    figure = framed(
        *(
            go.Bar(
                name=plain(row.name),
                orientation="h",
                y=places,
                x=[float(each) for each in row.amounts],
                text=[plain(row.name) if float(each) / width > LEAST_LABEL else "" for each in row.amounts],
                textposition="inside",
                insidetextanchor="middle",
                textangle=0,
                textfont={"color": PAPER, "size": 13},
                constraintext="none",
                marker={"color": PARTS[number % len(PARTS)], "line": {"color": PAPER, "width": 1.5}},
                customdata=columns,
                hovertemplate="%{customdata}<br>%{fullData.name}: $%{x:,.2f} a month<extra></extra>",
                width=0.5,
            )
            for number, row in enumerate(bills.parts)
        ),
        height=24 + 66 * len(columns),
    )
    figure.update_layout(barmode="stack", uniformtext={"minsize": 11, "mode": "hide"})
    figure.update_xaxes(visible=False, range=[0, width * 1.001])
    figure.update_yaxes(visible=False, range=[0.5, len(columns) + 0.75])
    for place, name, total in zip(places, columns, bills.totals, strict=True):
        for text, side in ((name, "left"), (dollars(total), "right")):
            figure.add_annotation(
                x=0 if side == "left" else 1, xref="paper", xanchor=side, y=place + 0.27, yanchor="bottom",
                text=text, showarrow=False, font={"size": 13, "color": INK},
            )  # fmt: skip
    return figure


def savings(timeline: Timeline) -> go.Figure:
    """Cumulative savings, one band for each phase: what was accepted below, what is possible on top.

    An accepted phase's band is what it saved up to the page's day, and what it is projected to save after it.
    """
    order = sorted(timeline.phases, key=lambda each: each.state is not SavingState.TAKEN)
    times = _times(timeline)
    past, ahead = [at for at in times if at <= timeline.as_of], [at for at in times if at >= timeline.as_of]
    figure = framed(
        *(_band(each, ahead, "projected", PENDING) for each in order if each.state is SavingState.TAKEN),
        *(_band(each, ahead, each.state.value, POSSIBLE) for each in order if each.state is not SavingState.TAKEN),
        *(_band(each, past, each.state.value, TAKEN) for each in order if each.state is SavingState.TAKEN),
    )
    figure.add_trace(
        go.Scatter(
            name="Saved so far", x=[axis_time(timeline.as_of)], y=[round(float(timeline.expected), 2)],
            mode="markers", marker={"size": 9, "color": INK, "line": {"color": PAPER, "width": 2}},
            hovertemplate="%{y:$,.0f}<extra>saved so far</extra>",
        )
    )  # fmt: skip
    if timeline.measured:
        figure.add_trace(_measured(timeline))
    figure.update_layout(hovermode="x unified", margin={"l": 64, "t": 28, "r": 12})
    top = max(float(timeline.high), *(float(each.high) for each in timeline.measured), 1.0)
    for at in timeline.ends:
        when = axis_time(at)
        figure.add_shape(type="line", x0=when, x1=when, y0=0, y1=1, yref="paper",
                         line={"color": INK, "width": 1, "dash": "dot"})  # fmt: skip
        figure.add_annotation(
            x=when, xanchor="right", y=1, yref="paper", yanchor="bottom", showarrow=False,
            text=f"commitment ends {day(at)}", font={"size": 12, "color": INK},
        )  # fmt: skip
    figure.update_xaxes(
        type="date", showgrid=False, tickformat="%b\n%Y", nticks=7, tickangle=0, hoverformat="%-d %b %Y",
        range=[axis_time(timeline.start), axis_time(timeline.end)],
    )  # fmt: skip
    figure.update_yaxes(range=[0, top * 1.08], nticks=5, tickprefix="$", tickformat="~s", automargin=False)
    _band_labels(figure, timeline, [(each.label, float(each.by_end)) for each in order], top)
    return figure


def _measured(timeline: Timeline) -> go.Scatter:
    """The measured saving, week by week, with its interval."""
    return go.Scatter(
        name="Measured on the bill",
        x=[axis_time(each.at) for each in timeline.measured],
        y=[float(each.saved) for each in timeline.measured],
        mode="markers",
        marker={"size": 8, "symbol": "diamond", "color": PAPER, "line": {"color": INK, "width": 2}},
        error_y=whiskers(((each.low, each.saved, each.high) for each in timeline.measured), INK),
        hovertemplate="%{y:$,.0f}<extra>measured on the bill</extra>",
    )


def _band(phase: PhaseSaving, times: Sequence[datetime], word: str, colour: str) -> go.Scatter:
    """One phase over a part of the year, stacked on the others of that part."""
    return go.Scatter(
        name=f"{phase.label}, {word}",
        x=[axis_time(at) for at in times],
        y=[round(float(added_up(phase, at)), 2) for at in times],
        stackgroup="saved" if colour == TAKEN else "ahead",
        mode="lines",
        line={"width": 1.5, "color": PAPER},
        fillcolor=colour,
        hovertemplate="%{y:$,.0f}<extra>%{fullData.name}</extra>",
    )


def _band_labels(figure: go.Figure, timeline: Timeline, bands: Sequence[tuple[str, float]], top: float) -> None:
    """Each band's name at its right end, where there is room; the sum over all."""
    level = 0.0
    for label, height in bands:
        if height > 0.1 * top:
            figure.add_annotation(
                x=axis_time(timeline.end), xanchor="right", y=level + height * 0.62, showarrow=False, xshift=-10,
                text=f"{label}: ${height:,.0f}", font={"size": 13, "color": INK}, bgcolor=PAPER, borderpad=3,
            )  # fmt: skip
        level += height


def _times(timeline: Timeline) -> list[datetime]:
    """Every month, and every moment at which a line bends."""
    months = [timeline.start + (timeline.end - timeline.start) * number / 12 for number in range(13)]
    bends = [each.begins for each in timeline.phases if timeline.start < each.begins < timeline.end]
    bends += timeline.ends
    now = [timeline.as_of] if timeline.start < timeline.as_of < timeline.end else []
    return sorted({*months, *bends, *now})


def _banded() -> list[list[float | str]]:
    """The bands as a colour scale with sharp edges."""
    edges = [*BANDS, (TOP, HOT)]
    return [[edge / TOP, colour] for (low, colour), (high, _) in pairwise(edges) for edge in (low, high)]


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %" if share < BEYOND else "beyond"


def _wrapped(name: str, width: int = 16) -> str:
    """A criterion's name over several short lines."""
    lines = [""]
    for word in name[:70].split():
        if len(lines[-1]) + len(word) >= width and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(plain(line) for line in lines[:4]) + ("…" if len(lines) > 4 or len(name) > 70 else "")


def _axis(name: str) -> dict[str, object]:
    return {"text": f"{name}, 1 to {HIGHEST}", "font": {"size": 13}, "standoff": 8}


def _numbered(rows: Sequence[RiskRow]) -> str:
    """The numbers of a cell's changes, as the table has them; of many, how many there are."""
    if len(rows) > LISTED:
        return f"{len(rows)}<br>changes"
    return ", ".join(f"{row.number}" for row in rows)


def _named(rows: Sequence[RiskRow]) -> str:
    """The first changes of a cell, with why they are in it."""
    texts = [
        f"<b>{row.number} {plain(row.title, 40)}</b> ({plain(row.resource, 40)})<br>likelihood {row.likelihood}: "
        f"{_broken(row.likelihood_why)}<br>impact {row.impact}: {_broken(row.impact_why)}"
        for row in rows[:NAMED]
    ]
    more = [f"and {len(rows) - NAMED} more"] if len(rows) > NAMED else []
    return "<br>".join([*texts, *more]) or "no change"


def _broken(text: str) -> str:
    """A reason on lines that a hover label has room for."""
    return "<br>   ".join(plain(part, 90) for part in text.split("; ")[:4])
