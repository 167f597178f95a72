"""Our own moves and verbs, whole, in an emulator that others wrote; a sample asks the emulated account alone."""

from __future__ import annotations

from benchmarks.campaigns.campaign import Campaign, Extent, Row, Size
from benchmarks.parity.asking import Answers
from benchmarks.second_emulator.compare import both, ours
from benchmarks.second_emulator.page import seen
from benchmarks.second_emulator.place import installed
from benchmarks.second_emulator.scripts import OURS, RUN

SAMPLE = ("index removal", "lease")


def run(size: Size) -> Row:
    if size.extent is Extent.SAMPLE or not installed():
        names = SAMPLE if size.extent is Extent.SAMPLE else tuple(RUN)
        answers = {name: {"emulated": told} for name, told in ours(names).items()}
        covered = f"{len(names)} of {len(RUN)} scripts, in the emulated account alone (make second installs the other)"
    else:
        answers = {name: dict(told) for name, told in both().items()}
        covered = f"{len(RUN)} scripts in both, {len(OURS)} of them our moves and verbs"
    failures, cases = [], 0
    known = seen()["scripts"]
    for name, told in answers.items():
        for where, found in told.items():
            wanted: Answers = known[name][where] if where == "second" else dict(RUN[name].documented)
            cases += len(wanted)
            failures += [
                f"{where}: {RUN[name].title}: {each}: {found.get(each)!r}, not {wanted[each]!r}"
                for each in wanted
                if found.get(each) != wanted[each]
            ]
    return Row(cases, tuple(failures), covered)


CAMPAIGN = Campaign(
    title="Second opinion",
    proves="our moves on tables and pointers, the merge, the lease and a plan's life end in ministack as they do here; "
    "where the two differ, docs/second-emulator.md says who is right",
    cannot="what both emulators leave out; AWS's time, quotas and permissions",
    planted="the emulated account itself: it made an index whose attribute the call did not define, and kept a "
    "deleted table's policy",
    run=run,
)
