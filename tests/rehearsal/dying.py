"""The lives of a trunk as the tests share them, and at a few of their calls those in which a job dies there.

    python -m tests.rehearsal.dying FOLDER SCENARIO...

`make campaign` has many more of those.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.crashes import Chosen, Crashing
from rehearsal.parting import trunks
from rehearsal.scenario import load_scenario
from rehearsal.spent import Spent

DYING = {
    "errors": Chosen(("Phase1", "Watch"), 300),
    "regression": Chosen(("Phase1", "Phase2", "Watch"), 2500),
    "quiet": Chosen(("Phase1", "Phase2", "Phase3", "Watch"), 3100),
}


def main(arguments: Sequence[str]) -> int:
    """1 if a life did not end as expected."""
    folder, *names = arguments
    ((*scenarios,),) = trunks(load_scenario(each) for each in names)
    lives = Crashing(Path(folder), scenarios, Spent.so_far(), chosen=DYING)
    return 1 if lives.live() + lives.bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
