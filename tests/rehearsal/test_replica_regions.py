"""Lives in one and in two Regions: the plan is accepted, and code, template and account agree at its end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.synthesis import lay_out
from tests.environments import in_regions

PROJECT = Path(__file__).parents[2]
SHORT = Path(__file__).with_name("aurora_alone.yaml")


def lived(folder: Path, replicas: int) -> dict[str, Any]:
    """The summary of a short life with this many replica Regions, each with an Aurora secondary at the start."""
    project = lay_out(PROJECT, folder / "project")
    document = json.loads((project / "cdk.json").read_text())
    document["context"]["environment"] = in_regions(replicas)
    (project / "cdk.json").write_text(json.dumps(document))
    scenario = yaml.safe_load(SHORT.read_text())
    scenario["starts_from"]["aurora"]["secondaries"] = list(range(2, 2 + replicas))
    scenario["expect"] = {"phases": {"1": "kept", "2": "kept", "3": "accepted"}, "planned_cost_within": 0.01}
    (folder / "short.yaml").write_text(yaml.safe_dump(scenario))
    command = [sys.executable, "-m", "optimizer", "rehearse", "--scenario", str(folder / "short.yaml")]
    done = subprocess.run(
        [*command, "--out", str(folder / "out")], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary: dict[str, Any] = json.loads((folder / "out" / "summary.json").read_text())
    return summary


@pytest.mark.slow
@pytest.mark.parametrize(("replicas", "presence"), [(0, "kept"), (1, "accepted")])
def test_a_life_with_fewer_regions_ends_accepted_and_reconciled(tmp_path: Path, replicas: int, presence: str) -> None:
    summary = lived(tmp_path, replicas)
    assert (summary["drift_differences"], summary["next_deployment_changes"]) == (0, 0)
    outcomes = {each["id"]: each["outcome"] for phase in summary["phases"] for each in phase["actions"]}
    assert outcomes["aurora_presence"] == presence
    assert outcomes["aurora_writer"] == "accepted"
