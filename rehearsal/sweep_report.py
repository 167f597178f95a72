"""A sweep as a table for the terminal, and as a picture: one HTML file that opens offline."""

from __future__ import annotations

import json
import math
from pathlib import Path

import plotly.graph_objects as go
from rich.console import Console
from rich.table import Table

from optimizer.dashboard.format import name_in
from optimizer.dashboard.render import PLOTLY, asset, embedded
from optimizer.model.decision import Choice
from rehearsal.sweep import Sweep, in_words, write_csv

PICTURE, TABLE = "sweep.html", "sweep.csv"
_LETTER = {Choice.APPLY: "", Choice.KEEP: "kept", Choice.NO_DATA: "no data"}


def report(found: Sweep, out: Path, console: Console) -> None:
    """Write the picture and the values into `out`, and show the table."""
    out.mkdir(parents=True, exist_ok=True)
    write_csv(found, out / TABLE)
    (out / PICTURE).write_text(picture(found), encoding="utf-8")
    console.print(_table(found))
    console.print(f"Picture: {out / PICTURE}, values: {out / TABLE}")


def _table(found: Sweep) -> Table:
    table = Table(title=f"From which {found.unit} on each action is kept")
    for title in ("Action", "Resource", "Applied", "Kept from", "Headroom at first", "at last applied", "Why kept"):
        table.add_column(title)
    for row in found.rows:
        words = in_words(row, found.labels)
        table.add_row(row.action, name_in(row.resource), *words.values())
    return table


def picture(found: Sweep) -> str:
    """A picture: rows are actions on resources, columns the points, the colour is the tightest limit's headroom."""
    names = [f"{row.action} {name_in(row.resource)}" for row in found.rows]
    shares = [[_rounded(cell.headroom) for cell in row.cells] for row in found.rows]
    words = [[_LETTER[cell.choice] for cell in row.cells] for row in found.rows]
    hover = [[f"{cell.choice.value}: {cell.tightest or cell.reason}" for cell in row.cells] for row in found.rows]
    figure = go.Figure(
        go.Heatmap(
            x=list(found.labels),
            y=names,
            z=shares,
            text=words,
            customdata=hover,
            texttemplate="%{text}",
            hovertemplate="%{y}<br>%{x}<br>%{customdata}<br>headroom %{z:.0f} %<extra></extra>",
            colorscale=[[0, "#b3261e"], [0.5, "#f4f1ea"], [1, "#1b6e53"]],
            zmin=-100,
            zmax=100,
            colorbar={"title": {"text": "headroom, %"}},
        )
    )
    figure.update_xaxes(title_text=found.unit, type="category")
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_layout(height=140 + 44 * len(names), margin={"t": 24})
    data = embedded(json.loads(figure.to_json()))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Sweep over '
        f"{found.unit}</title></head><body><h1>From which {found.unit} on each action is kept</h1>"
        "<p>Green: how much the tightest limit that the load moves leaves. Red: by how much it is passed.</p>"
        f'<div id="picture"></div><script>{asset(PLOTLY)}</script>'
        f'<script id="data" type="application/json">{data}</script>'
        "<script>const figure = JSON.parse(document.getElementById('data').textContent);"
        "Plotly.newPlot('picture', figure.data, figure.layout, {responsive: true});</script></body></html>\n"
    )


def _rounded(headroom: float | None) -> float | None:
    if headroom is None:
        return None
    return -100.0 if not math.isfinite(headroom) else max(100 * headroom, -100.0)
