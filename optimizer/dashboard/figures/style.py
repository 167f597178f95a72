"""The frame all figures share: colours as tokens, quiet axes, and text without markup.

Colours are tokens that the page replaces with its custom properties when it draws, so that one
figure serves light, dark and print. Text from elsewhere is made plain: Plotly reads some markup.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import plotly.graph_objects as go

from optimizer.dashboard.format import visible

# Colours nobody would choose, and the custom properties of dashboard.css that stand for them.
INK, SOFT, GRID, PAPER = "#010101", "#010102", "#010103", "#010109"
MAIN, LIMIT, TAKEN, PENDING, DROPPED = "#010104", "#010105", "#010106", "#010107", "#010108"
POSSIBLE = "#01010e"  # what is not decided yet
COOL, MILD, WARM, HOT = "#01010a", "#01010b", "#01010c", "#01010d"  # from far below a limit to beyond it
PARTS = ("#010110", "#010111", "#010112", "#010113", "#010114", "#010115")
TOKENS = {
    INK: "--ink",
    SOFT: "--ink-soft",
    GRID: "--line",
    PAPER: "--paper",
    MAIN: "--series",
    LIMIT: "--limit",
    TAKEN: "--taken",
    PENDING: "--pending",
    POSSIBLE: "--possible",
    DROPPED: "--dropped",
    COOL: "--cool",
    MILD: "--mild",
    WARM: "--warm",
    HOT: "--hot",
    **{token: f"--part-{number}" for number, token in enumerate(PARTS, start=1)},
}
LABEL_LENGTH = 26
HEIGHT = 300


def plain(text: str, length: int = LABEL_LENGTH) -> str:
    """Text without markup, cut where an axis has no room."""
    short = text if len(text) <= length else f"{text[: length - 1]}…"
    return html.escape(visible(short), quote=False)


def framed(*traces: Any, height: int = HEIGHT) -> go.Figure:
    """Traces in the page's quiet frame: no template, no legend, room for the labels."""
    axis = {"automargin": True, "gridcolor": GRID, "linecolor": GRID, "zeroline": False, "fixedrange": True}
    layout = {
        "template": "none",
        "height": height,
        "margin": {"l": 0, "r": 8, "t": 8, "b": 8},
        "font": {"color": SOFT, "size": 13},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": False,
        "dragmode": False,
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": PAPER, "bordercolor": GRID, "font": {"color": INK, "size": 13}},
        "xaxis": axis,
        "yaxis": axis,
    }
    return go.Figure(data=list(traces), layout=layout)  # at once: each later update of a figure takes milliseconds


def whiskers(points: Iterable[tuple[Decimal, Decimal, Decimal]], color: str) -> dict[str, Any]:
    """The interval around each point, given as its low, itself and its high."""
    known = [(float(point - low), float(high - point)) for low, point, high in points]
    return {
        "type": "data",
        "symmetric": False,
        "array": [above for _, above in known],
        "arrayminus": [below for below, _ in known],
        "color": color,
        "thickness": 1.5,
    }


def axis_time(at: datetime) -> str:
    """A time as Plotly's axes want it: they know no zones, so every time on them is UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
