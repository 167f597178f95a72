"""The limits of the observation window, as the page draws them."""

from __future__ import annotations

# The brief's two limits.
LATENCY_LIMIT = 1.20


ERROR_LIMIT = 0.005
