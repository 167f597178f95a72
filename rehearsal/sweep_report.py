"""A sweep as a table for the terminal, and as a picture: one HTML file that opens offline."""

from __future__ import annotations

import json
import math
from pathlib import Path

import plotly.graph_objects as go
from rich.console import Console
from rich.table import Table

from optimizer.dashboard.format import label_in
from optimizer.dashboard.render import PLOTLY, asset, embedded
from optimizer.model.decision import Choice
from rehearsal.sweep import Sweep, in_words, write_csv
from rehearsal.sweep_axis import POLICY

PICTURE, TABLE = "sweep.html", "sweep.csv"
# The figure keeps its width on a narrow screen and scrolls: its names need the room.
_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;margin:1.5rem;color:#16212c;background:#fff}"
    "h1{font-size:1.4rem}#scroll{overflow-x:auto}#picture{min-width:56rem}"
)
_LETTER = {Choice.APPLY: "", Choice.KEEP: "kept", Choice.NO_DATA: "no data"}


def report(swept: Sweep, out: Path, console: Console) -> None:
    """Write the picture and the values into `out`, and show the table."""
    out.mkdir(parents=True, exist_ok=True)
    write_csv(swept, out / TABLE)
    (out / PICTURE).write_text(picture(swept), encoding="utf-8")
    console.print(_table(swept))
    console.print(f"Picture: {out / PICTURE}, values: {out / TABLE}")


def _table(swept: Sweep) -> Table:
    table = Table(title=title_of(swept))
    for title in ("Action", "Resource", "Applied", "Kept from", "Headroom at first", "at last applied", "Why kept"):
        table.add_column(title)
    for row in swept.rows:
        words = in_words(row, swept.labels)
        table.add_row(row.action, label_in(row.resource), *words.values())
    return table


def title_of(found: Sweep) -> str:
    """The title of the sweep: its finding."""
    if found.unit == POLICY:
        return "What each policy decides"
    return f"Where each action turns from applied to kept: {found.unit}"


def picture(swept: Sweep) -> str:
    """A picture: rows are actions on resources, columns the points, the colour is the tightest limit's headroom."""
    names = [f"{row.action} {label_in(row.resource)}" for row in swept.rows]
    shares = [[_rounded(cell.headroom) for cell in row.cells] for row in swept.rows]
    words = [[_LETTER[cell.choice] for cell in row.cells] for row in swept.rows]
    hover = [[f"{cell.choice.value}: {cell.tightest or cell.reason}" for cell in row.cells] for row in swept.rows]
    figure = go.Figure(
        go.Heatmap(
            x=list(swept.labels),
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
    figure.update_xaxes(title_text=swept.unit, type="category")
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_layout(height=140 + 44 * len(names), margin={"t": 24}, plot_bgcolor="#dce2e8")
    data = embedded(json.loads(figure.to_json()))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{title_of(swept)}</title><style>{_STYLE}</style></head>'
        f"<body><h1>{title_of(swept)}</h1>"
        "<p>Green: how much of its tightest limit is left, of those that differ from point to point. Red: by how much "
        "it is passed. Grey: none of its limits differs. A cell without a word is applied.</p>"
        f'<div id="scroll"><div id="picture"></div></div><script>{asset(PLOTLY)}</script>'
        f'<script id="data" type="application/json">{data}</script>'
        "<script>const figure = JSON.parse(document.getElementById('data').textContent);"
        "Plotly.newPlot('picture', figure.data, figure.layout, {responsive: true});</script></body></html>\n"
    )


def _rounded(headroom: float | None) -> float | None:
    if headroom is None:
        return None
    return -100.0 if not math.isfinite(headroom) else max(100 * headroom, -100.0)
