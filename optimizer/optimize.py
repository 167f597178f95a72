"""The command line, `python -m optimizer VERB`. The verbs are in `optimizer/cli/verbs.py`."""

from optimizer.cli.verbs import main

__all__ = ["main"]
