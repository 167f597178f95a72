"""From the view to Plotly figures."""
