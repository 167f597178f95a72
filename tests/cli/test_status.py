"""`status`: one screen with the plan's state, the holder of its lock, and what to do next."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from optimizer.cli.next_step import NextStep, next_step
from optimizer.cli.status import Status, read_status
from optimizer.cli.status_text import WIDTH, status_lines
from optimizer.cli.verbs import main
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import DURATION, Purpose
from optimizer.execute.records import PhaseRecord, PhaseState, PlanRecord, PlanState
from optimizer.model.health import Assessment, Doubt, Health
from optimizer.model.phase import Phase
from rehearsal.job_world import job_world
from tests.execute.conftest import ENVIRON, START, World
from tests.execute.conftest import make_world as make_world
from tests.execute.conftest import world as world

HOUR = timedelta(hours=1)


def text(world: World, capsys: pytest.CaptureFixture[str], environ: dict[str, str] | None = None) -> str:
    assert main(["status"], world=job_world(world.account, environ or ENVIRON)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24, "one screen"
    assert all(len(each) <= WIDTH for each in lines if not each.startswith(("Page", "Command"))), lines
    return "\n".join(lines)


def document(world: World, capsys: pytest.CaptureFixture[str]) -> Any:
    assert main(["status", "--json"], world=job_world(world.account, ENVIRON)) == 0
    return json.loads(capsys.readouterr().out)


def test_before_the_first_analysis_it_names_the_first_command(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    said = text(world, capsys)
    assert "There is no plan yet." in said
    assert "python -m optimizer analyze --out out" in said


def test_an_open_window_says_until_when_and_what_was_judged(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    world.account.clock.sleep(HOUR.total_seconds())
    world.fresh().watch()
    said = text(world, capsys)
    assert f"{plan.hash[:12]} is approved since 2027-03-01 08:00 UTC, approved by job" in said.replace("\n", " ")
    assert "Phase 2    EC2 and Redis: observing since 2027-03-01" in said
    assert "window until 2027-03-03" in said.replace("\n" + " " * 11, " ")
    assert "Verdict    HEALTHY: " in said
    assert "Lock       free" in said
    assert "Watch      judged last at 2027-03-01 09" in said
    assert "freeze on: changed templates are not deployed" in said.replace("\n" + " " * 11, " ")
    assert "To do      Nothing. The watch judges the window until" in said
    found = document(world, capsys)
    assert found["phases"][1]["state"] == "observing"
    assert found["phases"][1]["verdict"] == "HEALTHY"
    assert found["phases"][1]["window_end"].startswith("2027-03-03")
    assert found["next"]["who"] == "nobody"


def test_the_lock_says_who_holds_it_and_whether_that_job_lives(world: World) -> None:
    plan = world.approved()
    life = replace(world, environ={**ENVIRON, "CODEBUILD_BUILD_ID": "tap-phase2-apply:77"}).fresh()
    with life.journal.lease(Purpose.APPLY, life.settings.build_id) as lease:
        record = life.journal.phase(plan, Phase.COMPUTE)
        JournalWriter(life.journal, lease).move_phase(
            plan, record, PhaseState.APPLYING, "begins", applied_at=world.account.clock.now()
        )
        held = read_status(world.fresh())
        assert held.lease is not None
        assert (held.lease.owner, held.lease.purpose, held.lease.alive) == ("tap-phase2-apply:77", "apply", True)
        assert "held for apply by tap-phase2-apply:77" in joined(held)
        assert held.next.who == "nobody"
        world.account.clock.sleep((DURATION + timedelta(seconds=1)).total_seconds())
        dead = read_status(world.fresh())
    assert dead.lease is not None
    assert not dead.lease.alive
    assert "is dead since" in joined(dead)
    assert dead.next.who == "a person"
    assert "retry-stage-execution --pipeline-name tap --stage-name Phase2" in dead.next.command
    assert read_status(world.fresh()).lease is None


def joined(status: Status) -> str:
    return " ".join(" ".join(status_lines(status)).split())


@pytest.mark.parametrize(("value", "who"), [("go", "nobody"), ("undo", "a person"), ("stop", "a person")])
def test_the_kill_switch_comes_before_everything(world: World, value: str, who: str) -> None:
    ssm = world.account.client("ssm", "111111111111", "us-east-1")
    ssm.put_parameter(Name="/tap/switch", Value=value, Type="String")
    found = read_status(replace(world, environ={**ENVIRON, "TAP_SWITCH_PARAMETER": "/tap/switch"}).fresh())
    assert (found.switch, found.next.who) == (value, who)
    assert ("put-parameter" in found.next.command) == (who == "a person")


def test_a_parameter_that_cannot_be_read_is_said_and_stops_nothing(world: World) -> None:
    environ = {**ENVIRON, "TAP_SWITCH_PARAMETER": "/tap/gone", "TAP_OVERRIDE_PARAMETER": "/tap/gone"}
    found = read_status(replace(world, environ=environ).fresh())
    assert found.switch == "not readable (ParameterNotFound)"
    assert found.freeze == "off; override: not readable (ParameterNotFound)"


def test_the_page_is_the_published_one(world: World) -> None:
    plan = world.approved()
    found = read_status(replace(world, environ={**ENVIRON, "TAP_RECORDS_BUCKET": "records"}).fresh())
    assert found.page.startswith("https://us-east-1.console.aws.amazon.com/s3/object/records?")
    assert found.page.endswith(f"plans/{plan.hash}/dashboard.html")


@pytest.mark.parametrize(
    ("state", "phase", "who", "command"),
    [
        (PlanState.PROPOSED, None, "a person", "approve --plan"),
        (PlanState.APPROVED, None, "nobody", "apply --phase 2"),
        (PlanState.APPROVED, {"state": PhaseState.APPLYING}, "a person", "retry-stage-execution"),
        (PlanState.APPROVED, {"state": PhaseState.OBSERVING, "window_end": START + HOUR}, "nobody", "watch"),
        (
            PlanState.APPROVED,
            {"state": PhaseState.OBSERVING, "window_end": START - HOUR},
            "a person",
            "accept --phase 2",
        ),
        (
            PlanState.APPROVED,
            {
                "state": PhaseState.OBSERVING,
                "window_end": START - HOUR,
                "assessment": Assessment(Health.INCONCLUSIVE, "no data"),
            },
            "a person",
            "watch",
        ),
        (
            PlanState.APPROVED,
            {
                "state": PhaseState.OBSERVING,
                "window_end": START - HOUR,
                "assessment": Assessment(Health.INCONCLUSIVE, "3 % of connections refused", Doubt.SERVICE),
            },
            "a person",
            "watch",
        ),
        (PlanState.APPROVED, {"state": PhaseState.ACCEPTED}, "nobody", "reconcile --assembly"),
        (PlanState.APPROVED, {"state": PhaseState.RECONCILED}, "nobody", "watch"),
        (PlanState.STOPPED, {"state": PhaseState.ROLLING_BACK}, "nobody", "watch"),
        (PlanState.STOPPED, {"state": PhaseState.ROLLED_BACK}, "a person", "analyze --anew"),
        (PlanState.DONE, {"state": PhaseState.RECONCILED}, "nobody", "start-pipeline-execution"),
    ],
)
def test_every_state_has_a_next_step(
    world: World, state: PlanState, phase: dict[str, Any] | None, who: str, command: str
) -> None:
    record = PlanRecord(world.plan(), state, START)
    states = {Phase.COMPUTE: PhaseRecord(**{"phase": Phase.COMPUTE, "since": START, **phase})} if phase else {}
    step: NextStep = next_step(record, states, START, switch="go", at_work=False)
    assert step.who == who
    assert command in step.command
