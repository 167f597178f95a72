"""From the view to sections of the page, as plain data."""
