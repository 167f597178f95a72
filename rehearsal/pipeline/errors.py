"""Errors of the walk of the pipeline."""

from __future__ import annotations

from domain.errors import OptimizerError


class WalkFailed(OptimizerError):
    """The synthesized pipeline cannot be walked: AWS would fail, or never start, here."""
