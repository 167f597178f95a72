"""Whole rehearsals over loads from 1 to 20 million requests a day: none may be accepted with the service broken.

Each load, with tenants in proportion and its own seed, runs `quiet`'s whole plan. Then a week
passes, which is compared hour by hour with the same week as designed (emulator/workload/service_level.py).
A plan that keeps everything is fine, one that is rolled back is fine; one that is accepted and broke the
service is a failure, and makes the exit code 1.

    python benchmarks/loads.py [--millions 1 2 3 ... 20] [--seed 0]

The short form, decisions and the model without the walk, is tests/actions/test_load_sweep.py.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

if not __package__:  # run as a file: a module beside it has the name of the package `rehearsal`
    sys.path[0] = str(Path(__file__).parents[1])

from emulator.account import EmulatedAccount
from emulator.workload.service_level import ServiceLevel, service_level
from emulator.workload.spec import WorkloadSpec
from emulator.workload.workload import Sources, Workload
from rehearsal.report import Progress
from rehearsal.scenario import WALKED_AT, Outcome, Scenario, load_scenario
from rehearsal.session import RehearsalSession
from rehearsal.workspace import PROJECT, RehearsalRequest, Workspace

WEEK = timedelta(days=7)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=int, nargs="*", default=list(range(1, 21)))
    parser.add_argument("--seed", type=int, default=0, help="added to the load's own")
    asked = parser.parse_args()
    quiet, broken = load_scenario("quiet"), 0
    for millions in asked.millions:
        spec = WorkloadSpec(tenants=500 * millions + 1_500, requests_per_day=1_000_000 * millions)
        outcomes, level = _lived(quiet.model_copy(update={"workload": spec}), asked.seed + millions)
        bad = level.broken and Outcome.ACCEPTED in outcomes
        broken += bad
        told = ", ".join(f"{number} {each.value}" for number, each in enumerate(outcomes, 1))
        worst = f"worst hour {100 * level.error_rate:.2f} % errors, p99 x {level.slower:.2f}"
        print(f"{millions:3} M a day  {told:45} {worst}{'  BROKEN' if bad else ''}", flush=True)
    return 1 if broken else 0


def _lived(scenario: Scenario, seed: int) -> tuple[list[Outcome], ServiceLevel]:
    """The outcome of each phase, and the model's service level in the week after the walk."""
    with tempfile.TemporaryDirectory(prefix="loads-") as folder:
        out, scratch = Path(folder) / "out", Path(folder) / "scratch"
        out.mkdir()
        scratch.mkdir()
        setting = Workspace(RehearsalRequest(out, scenario, seed=seed), PROJECT, scratch, Progress(sys.stderr))
        with setting.account_of(assembly := setting.synthesize()) as account:
            setting.progress.clock = account.clock
            life = RehearsalSession(setting, account, assembly)
            life.begin()
            life.walk()
            outcomes = [each.outcome for each in life.summary().phases]
            return outcomes, _week_after(life, account, scenario.workload, seed)


def _week_after(life: RehearsalSession, account: EmulatedAccount, spec: WorkloadSpec, seed: int) -> ServiceLevel:
    """The week's service level, compared with a life whose configuration stayed as on the day of the walk."""
    lived = life.workload
    designed = Workload(spec, account, seed, events=())
    account.part(Sources).workload = lived
    for at, present in lived.timeline:
        if at <= WALKED_AT.timestamp():
            designed.remember(datetime.fromtimestamp(at, UTC), present)
    region = life.aws.region
    (balancer,) = lived.timeline[-1][1][region].balancers
    hour = account.clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return service_level(lived, designed, (region, balancer), hour, WEEK)


if __name__ == "__main__":
    sys.exit(main())
