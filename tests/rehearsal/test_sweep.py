"""A sweep: which points it has, how much a limit leaves, where an action turns, and the picture."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.errors import UsageError
from emulator.workload.spec import WorkloadSpec
from optimizer.model.decision import Choice, guard
from rehearsal.sweep import Cell, Row, Sweep, headroom, in_words
from rehearsal.sweep_axis import points_of, short
from rehearsal.sweep_report import picture

NOW = datetime(2027, 3, 1, 8, tzinfo=UTC)
QUIET = WorkloadSpec(tenants=2500, requests_per_day=2_000_000)


def test_a_range_has_twenty_points() -> None:
    points = points_of("requests-per-day=1M..20M", QUIET, NOW)
    assert [each.workload.requests_per_day for each in points] == [n * 1e6 for n in range(1, 21)]
    assert (points[0].label, points[-1].label) == ("1M", "20M")
    assert {each.workload.tenants for each in points} == {2500}


@pytest.mark.parametrize(
    ("asked", "labels"),
    [
        ("tenants=1K,2.5K", ["1K", "2.5K"]),
        ("growth=0..40x3", ["0", "20", "40"]),
        ("spike=1..5x5", ["1", "2", "3", "4", "5"]),
    ],
)
def test_other_axes(asked: str, labels: list[str]) -> None:
    assert [each.label for each in points_of(asked, QUIET, NOW)] == labels


@pytest.mark.parametrize("asked", ["load=1..2", "tenants", "tenants=a", "tenants=5..1", "tenants=1..2x1", "spike=0"])
def test_a_wrong_axis_is_refused_in_one_line(asked: str) -> None:
    with pytest.raises(UsageError) as refused:
        points_of(asked, QUIET, NOW)
    assert repr(asked) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_policy_file_is_a_point(tmp_path: Path) -> None:
    file = tmp_path / "bold.yaml"
    file.write_text("fleet: {cpu_after: 70}\nlifted: [fleet_rightsize/p95 CPU]\nwindow: 3\n")
    (point,) = points_of(f"policy={file}", QUIET, NOW)
    assert (point.label, point.policy.fleet.cpu_after, point.policy.window.days) == ("bold", 70.0, 3)
    assert point.policy.is_lifted("fleet_rightsize", "p95 CPU")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fleet: {cpu: 1}", "fleet.cpu: no such field"),
        ("fleet: 3", "fleet: must hold names and values"),
        ("fleet: {cpu_after: high}", "fleet.cpu_after: must be like 55.0, not 'high'"),
        ("fleet: {target: {desired: 0}}", "fleet.target:"),
        ("- 1", "holds no names and values"),
    ],
)
def test_a_wrong_policy_file_is_named_with_its_field(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as refused:
        points_of(f"policy={file}", QUIET, NOW)
    assert str(refused.value).startswith(f"{file}: ")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("observed", "limit", "left"),
    [
        (20.0, {"at_most": 80.0}, 0.75),
        (100.0, {"at_most": 80.0}, -0.25),
        (10.0, {"at_least": 5.0}, 0.5),
        (None, {"at_most": 80.0}, None),
        ("none", {"equals": "none"}, None),
    ],
)
def test_headroom(observed: float, limit: dict[str, float], left: float | None) -> None:
    found = headroom(guard("x", observed, **limit))
    assert found is None if left is None else found == pytest.approx(left)


def row(*choices: Choice) -> Row:
    return Row("a", "arn:aws:x:us-east-1:1:r", tuple(Cell(each, 0.5, "p95 CPU", "too hot") for each in choices))


def test_where_an_action_turns() -> None:
    labels = ["1M", "2M", "3M"]
    turning = in_words(row(Choice.APPLY, Choice.APPLY, Choice.KEEP), labels)
    assert (turning["applied"], turning["kept"], turning["because"]) == ("1M to 2M", "3M", "too hot")
    always, never = in_words(row(*[Choice.APPLY] * 3), labels), in_words(row(*[Choice.KEEP] * 3), labels)
    assert (always["kept"], never["applied"], never["kept"]) == ("never", "never", "1M")
    policies = in_words(row(Choice.KEEP, Choice.APPLY), ["careful", "bold"])
    assert (policies["applied"], policies["kept"], policies["because"]) == ("bold", "careful", "too hot")


def test_the_picture_opens_offline() -> None:
    page = picture(Sweep("x", "requests a day", ("1M", "2M"), (row(Choice.APPLY, Choice.KEEP),)))
    assert "Plotly.newPlot" in page
    assert 'src="http' not in page


def test_numbers_are_short() -> None:
    assert [short(each) for each in (1e6, 2_500_000.0, 1500.0, 3.0)] == ["1M", "2.5M", "1.5K", "3"]
