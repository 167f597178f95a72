"""Whole rehearsals on the real templates: how each scenario ends, and that a corrupted pipeline does not pass."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from domain.errors import UsageError
from domain.sizing import Sizing, SizingRecord
from rehearsal import workspace as setting_module
from rehearsal.pipeline.deployments import Deployments
from rehearsal.pipeline.errors import WalkFailed
from rehearsal.run import rehearse
from rehearsal.scenario import PersonSpec, known_scenarios, load_scenario
from rehearsal.synthesis import Synthesis
from rehearsal.workspace import RehearsalRequest
from tests.dashboard.page import Page
from tests.pipeline.permitted import job_may, permitted
from tests.rehearsal.shared import Lived, lived

JOB = "tap-job-"
CALLS_OF_QUIET = 13_500  # a budget (docs/performance.md): raise it with a reason
Json = dict[str, Any]


def rehearsed(scenario: str, *options: str) -> Lived:
    """A rehearsal that all tests share; no role made a call without a permission."""
    life = lived(scenario, *options)
    assert not_permitted(life.out) == {}
    return life


def page_in(out: Path) -> str:
    """The text of the published dashboard."""
    return Page((out / "dashboard.html").read_text()).text


def exported(out: Path) -> list[Json]:
    """Every item of the plan in force, as the journal holds it."""
    items: list[Json] = json.loads((out / "journal.json").read_text())["items"]
    return items


def not_permitted(out: Path) -> dict[str, list[str]]:
    """The calls that each role made without a permission: the production roles, and the jobs' own in tooling."""
    may, asked = roles_may(), json.loads((out / "calls.json").read_text())
    assert any(role.startswith(JOB) for role in asked), "the tooling account's calls are nobody's"
    found = {
        role: [
            each for each in used if not (job_may(role, each) if role.startswith(JOB) else each in may["Allow", role])
        ]
        for role, used in asked.items()
    }
    for role, used in json.loads((out / "called-on.json").read_text()).items():
        if role.startswith(JOB):
            found[role] += [
                f"{each} on {arn}" for each, arns in used.items() for arn in arns if not job_may(role, each, arn)
            ]
    return {role: actions for role, actions in found.items() if actions}


@cache
def roles_may() -> dict[tuple[str, str], set[str]]:
    return permitted()


def outcomes(summary: Json) -> dict[int, str]:
    return {phase["phase"]: phase["outcome"] for phase in summary["phases"]}


ENDED = {"accepted": "reconciled", "rolled_back": "rolled_back"}
TOLD_APART = {
    "quiet",
    "broken-undo",
    "regression",
    "young-account",
    "full-cache",
    "silent-metrics",
    "tenant-owned",
    "released-again",
    "reserved",
}  # each has a test of its own


@pytest.mark.slow
def test_quiet_ends_with_every_phase_accepted_and_code_and_account_agreeing() -> None:
    life = rehearsed("quiet")
    code, summary = life.code, life.summary
    assert code == 0
    assert outcomes(summary) == {1: "accepted", 2: "accepted", 3: "accepted"}
    assert all(phase["window_hours"] >= 48 for phase in summary["phases"])
    assert summary["drift_differences"] == 0
    assert summary["tenant_resources_touched"] == 0
    assert summary["monthly_cost"]["after"] < summary["monthly_cost"]["before"]
    assert summary["monthly_cost"]["stranded"] == 0
    assert 0 < summary["metric_calls"] < summary["api_calls"]
    assert summary["api_calls"] < CALLS_OF_QUIET, "one call more in each run of the watch is hundreds more here"


@pytest.mark.slow
def test_what_is_committed_goes_on_to_cost_and_the_weeks_after_show_the_rest() -> None:
    life = rehearsed("reserved", "--weeks-after", "2")
    code, summary = life.code, life.summary
    assert code == 0
    cost, weeks = summary["monthly_cost"], [each["usd"] for each in summary["weeks"]]
    assert 0 < cost["stranded"] < cost["before"] - cost["after"]
    assert summary["weeks"][0]["start"] == "2027-02-22"
    # What runs at list price is less than what is billed: the commitments that nothing uses come on top.
    assert cost["after"] / 4.35 < weeks[-1] < weeks[0] < cost["before"] / 4.35


@pytest.mark.slow
def test_regression_is_rolled_back_and_the_next_phase_not_begun() -> None:
    life = rehearsed("regression")
    code, summary = life.code, life.summary
    assert (code, outcomes(summary)) == (0, {1: "accepted", 2: "rolled_back", 3: "skipped"})
    assert summary["phases"][1]["assessment"]["verdict"] == "BREACH"
    assert summary["drift_differences"] == 0
    progress = life.progress
    assert "Observe was rejected: p99" in progress
    assert "stage Phase3" not in progress
    assert "Watch: Published in s3://" in progress, "nothing but the watch was left to publish it"
    items = exported(life.out)
    states = {each["sk"]: each["state"] for each in items if "state" in each}
    assert states["phase#2"] == "rolled_back"
    page = page_in(life.out)
    assert "Phase 2 (EC2 and Redis) was rolled back" in page
    assert summary["phases"][1]["assessment"]["reason"] in page
    assert "Phase 3 did not begin." in page


@pytest.mark.slow
def test_a_commit_whose_undo_raises_keeps_no_phase_from_its_rollback() -> None:
    life = rehearsed("broken-undo")
    code, summary = life.code, life.summary
    assert (code, outcomes(summary)) == (0, {1: "accepted", 2: "rolled_back", 3: "skipped"})
    told = life.progress
    pushed, undone = told.index("pushed: optimizer/execute/engine.py"), told.index("Phase 2 was rolled back")
    assert pushed < told.rindex("Watch: Running the code that applied last", 0, undone)
    assert "undo is broken" not in told


@pytest.mark.slow
def test_the_same_commit_released_again_deploys_nothing_and_carries_the_plan_on() -> None:
    life = rehearsed("released-again")
    code, summary = life.code, life.summary
    assert (code, outcomes(summary)) == (0, {1: "accepted", 2: "accepted", 3: "accepted"})
    assert summary["next_deployment_changes"] == 0
    _, again = life.progress.split("the same commit is released again")
    assert "every stack is as deployed" in again  # the freeze check, with a plan under way
    deployed = re.findall(r"  deployed (tap-\S+) in \S+: (.*)", again)
    stacks = ["tap-pipeline", "tap-primary", "tap-roles", "tap-replica-2", "tap-replica-3"]
    assert deployed == [(stack, "no change") for stack in stacks]
    assert [f"stage {name}: skipped" in again for name in ("Approve", "Phase1", "Phase2")] == [True, True, False]


@pytest.mark.slow
def test_a_young_account_asks_nobody_anything() -> None:
    life = rehearsed("young-account")
    code, summary = life.code, life.summary
    assert (code, set(outcomes(summary).values())) == (0, {"skipped"})
    progress = life.progress
    assert [f"stage {name}: skipped" in progress for name in ("Approve", "Phase1", "Phase2", "Phase3")] == [True] * 4
    assert "gate " not in progress
    page = page_in(life.out)
    assert "Nothing was changed, because the evidence is not enough yet" in page
    (plan,) = [each for each in exported(life.out) if each["sk"] == "plan"]
    assert plan["document"]["plan"]["held"].lower() in page.lower()
    assert page.count("Skipped") == 4


@pytest.mark.slow
def test_silent_metrics_are_held_and_never_accepted() -> None:
    life = rehearsed("silent-metrics")
    code, summary = life.code, life.summary
    assert (code, outcomes(summary)[2]) == (0, "held")
    assert summary["phases"][1]["assessment"]["verdict"] == "INCONCLUSIVE"
    page = page_in(life.out)
    assert "Phase 2 (EC2 and Redis) cannot be judged: it is held" in page
    assert summary["phases"][1]["assessment"]["reason"] in page


@pytest.mark.slow
def test_a_cache_that_would_not_fit_is_kept_with_its_arithmetic() -> None:
    life = rehearsed("full-cache")
    code, summary = life.code, life.summary
    assert code == 0
    (cache,) = [each for each in summary["phases"][1]["actions"] if each["id"] == "redis_rightsize"]
    assert cache["outcome"] == "kept"
    page = page_in(life.out)
    assert "limit: at most 31.6 GiB" in page
    assert cache["reason"] in page


@pytest.mark.slow
def test_a_tenant_s_resources_are_left_alone() -> None:
    life = rehearsed("tenant-owned")
    code, summary = life.code, life.summary
    assert (code, summary["tenant_resources_touched"]) == (0, 0)
    accepted = {
        action["resource"].replace("/", ":").rsplit(":", 1)[-1]
        for phase in summary["phases"]
        for action in phase["actions"]
        if action["outcome"] == "accepted"
    }
    assert accepted == {"tenants", "audit_logs", "tap-cache"}  # users, tap-fleet and tap-database are a tenant's
    assert "excluded fleet" in life.progress


@pytest.mark.slow
@pytest.mark.parametrize("scenario", sorted(set(known_scenarios()) - TOLD_APART))
def test_every_other_scenario_ends_as_its_file_says(scenario: str) -> None:
    life = rehearsed(scenario)
    code, summary = life.code, life.summary
    assert code == 0
    items = exported(life.out)
    told = {each["sk"]: each["state"] for each in items if "state" in each}
    for number, outcome in outcomes(summary).items():
        if outcome in ENDED:
            assert told[f"phase#{number}"] == ENDED[outcome], "what was published last does not say how it ended"


@pytest.mark.slow
def test_with_the_exclusion_switched_off_the_record_tells_what_was_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optimizer.observe.inventory.tenant_tag", lambda tags: None)
    rejected = {"person": PersonSpec(approve_phases=False)}  # the first phase touches a tenant's table: that is enough
    assert rehearse(RehearsalRequest(tmp_path, load_scenario("tenant-owned").model_copy(update=rejected))) == 1
    assert not_permitted(tmp_path) == {}
    assert json.loads((tmp_path / "summary.json").read_text())["tenant_resources_touched"] > 0


@pytest.mark.slow
def test_a_sizing_accepted_while_an_execution_waits_is_not_undone_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Build's check is over by then: the refusal comes from the one right before Production deploys."""
    to_production = Deployments.self_mutate

    def accepted_meanwhile(deployments: Deployments, assembly: Path, artifact: str) -> None:
        to_production(deployments, assembly, artifact)
        record = SizingRecord(revision=1, sizing=Sizing.AS_DESIGNED).model_dump_json()
        account = deployments.account
        account.client("dynamodb", account.tooling, deployments.region).put_item(
            TableName="tap-journal", Item={"pk": {"S": "sizing"}, "sk": {"S": "current"}, "record": {"S": record}}
        )

    monkeypatch.setattr(Deployments, "self_mutate", accepted_meanwhile)
    assert rehearse(RehearsalRequest(tmp_path, load_scenario("young-account"))) == 1
    told = capsys.readouterr()
    assert "the pipeline ended at Production: `python -m optimizer freeze-check" in " ".join(told.out.split())
    _, since = told.err.split("stage Production", 1)
    assert "was synthesized from sizing revision 0, the record is at 1" in since
    assert "deployed tap-" not in since


def misspelt_command(template: str) -> str:
    return template.replace("python -m optimizer analyze --out out", "python -m optimizer analyse --out out")


def missing_input(template: str) -> str:
    document = json.loads(template)
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::CodePipeline::Pipeline":
            analyze = next(each for each in resource["Properties"]["Stages"] if each["Name"] == "Analyze")
            analyze["Actions"][0]["OutputArtifacts"] = []
    return json.dumps(document)


def wrong_variable(template: str) -> str:
    return template.replace(".GATE_TEXT}", ".GATE_TXET}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("corrupt", "says"),
    [
        (misspelt_command, "the pipeline ended at Analyze: `python -m optimizer analyse --out out` ended with 64"),
        (missing_input, "was made by no action before it"),
        (wrong_variable, "was exported by no action before it"),
    ],
)
def test_a_corrupted_copy_of_the_synthesized_pipeline_fails(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    corrupt: Callable[[str], str],
    says: str,
) -> None:
    class Corrupting(Synthesis):
        def run(self, sources: Path, environ: Mapping[str, str]) -> Path:
            out = super().run(sources, environ)
            template = out / "tap-pipeline.template.json"
            before = template.read_text()
            template.write_text(corrupt(before))
            assert template.read_text() != before
            return out

    monkeypatch.setattr(setting_module, "Synthesis", Corrupting)
    request = RehearsalRequest(tmp_path, load_scenario("quiet"))
    try:
        assert rehearse(request) == 1
        told = " ".join(capsys.readouterr().out.split())
    except WalkFailed as failure:
        told = str(failure)
    assert says in told


def test_a_folder_without_the_app_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no app\.py"):
        rehearse(RehearsalRequest(tmp_path, load_scenario("quiet")), project=tmp_path)


@pytest.mark.slow
def test_by_the_wire_or_at_every_tick_it_ends_as_without(tmp_path: Path) -> None:
    """Calls over HTTP's texts make the very same life; a watch at every tick makes more calls, and the same end.

    So does a life that parts from others late, in a process that forks from theirs: it is what the others are
    compared with, and they are lived alone.
    """
    shortest = load_scenario("errors")
    found = {"parted": lived("errors").summary}  # called directly
    for name, more in {"wire": {"wire": True}, "ticks": {"every_tick": True}}.items():
        assert rehearse(RehearsalRequest(tmp_path / name, shortest, **more)) == 0  # type: ignore[arg-type]
        found[name] = json.loads((tmp_path / name / "summary.json").read_text())
    for summary in found.values():
        assert summary.pop("wall_seconds") >= 0
        assert summary.pop("cpu_seconds") > 0
    assert differing(found["wire"], found["parted"]) == {}
    ends = [
        [(phase["outcome"], (phase["assessment"] or {}).get("verdict")) for phase in found[name]["phases"]]
        for name in ("parted", "ticks")
    ]
    assert ends[0] == ends[1] == [("rolled_back", "BREACH"), ("skipped", None), ("skipped", None)]


def differing(one: Any, other: Any) -> dict[str, tuple[Any, Any]]:
    """By its path, each leaf that is not the same in both."""
    first, second = dict(flattened(one)), dict(flattened(other))
    both = {path: (first.get(path), second.get(path)) for path in {*first, *second}}
    return {path: pair for path, pair in both.items() if pair[0] != pair[1]}


def flattened(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of a JSON value with its path: only differences are named."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not inner:
        yield name, value
    for key, each in inner:
        yield from flattened(each, f"{name}/{key}")
