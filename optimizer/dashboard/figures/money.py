"""Charts of the bill: small functions from a part of the View to a Plotly figure."""

from __future__ import annotations

import plotly.graph_objects as go

from optimizer.dashboard.figures.style import INK, PAPER, PARTS, PENDING, SOFT, framed, plain, whiskers
from optimizer.dashboard.format import interval
from optimizer.dashboard.view.money import MonthlyBill

MONTH = "%b\n%Y"


def by_month(bill: MonthlyBill) -> go.Figure:
    """Effective cost month by month, stacked by service; list price as a line; the months ahead with their interval."""
    months = [f"{each.month:%Y-%m-%d}" for each in bill.months]
    figure = framed(
        *(
            go.Bar(
                name=plain(service.name, 40),
                x=months,
                y=[float(each) for each in service.amounts],
                marker={
                    "color": PARTS[number % len(PARTS)],
                    "line": {"color": PAPER, "width": 1},
                    "opacity": [0.55 if each.estimated else 1.0 for each in bill.months],
                },
                hovertemplate="%{x|%b %Y}<br>%{fullData.name}: %{y:$,.2f}<extra></extra>",
            )
            for number, service in enumerate(bill.services)
        ),
        height=340,
    )
    if all(each.listed is not None for each in bill.months):
        figure.add_trace(
            go.Scatter(
                name="At list price", x=months, y=[float(each.listed or 0) for each in bill.months], mode="lines",
                line={"color": INK, "width": 1.5, "dash": "dot"},
                hovertemplate="%{x|%b %Y}<br>at list price: %{y:$,.2f}<extra></extra>",
            )
        )  # fmt: skip
    if bill.ahead:
        figure.add_trace(_ahead(bill))
    figure.update_layout(barmode="stack", bargap=0.35, margin={"l": 64, "b": 40})
    figure.update_xaxes(type="date", tickformat=MONTH, dtick="M2", showgrid=False, tickangle=0)
    figure.update_yaxes(nticks=5, tickprefix="$", tickformat="~s", automargin=False, rangemode="tozero")
    return figure


def _ahead(bill: MonthlyBill) -> go.Bar:
    return go.Bar(
        name=bill.label.capitalize(),
        x=[f"{each.month:%Y-%m-%d}" for each in bill.ahead],
        y=[float(each.cost) for each in bill.ahead],
        marker={"color": PENDING, "opacity": 0.6},
        error_y=whiskers(((each.low, each.cost, each.high) for each in bill.ahead), SOFT),
        customdata=[interval(each.low, each.high) for each in bill.ahead],
        hovertemplate="%{x|%b %Y}, %{fullData.name}<br>%{y:$,.0f}, interval %{customdata}<extra></extra>",
    )
