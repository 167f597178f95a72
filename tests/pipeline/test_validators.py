"""The whole app before the validators: CloudFormation's rules, cdk-nag's AwsSolutions, cfn-lint on every template."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk_nag
import pytest

from app import HERE, make_app
from domain.environment import MOST_REPLICAS
from tests.environments import in_regions

pytestmark = pytest.mark.slow
CFN_LINT = Path(sys.executable).with_name("cfn-lint")  # the one that setup.py pins
PLUGINS = {"AwsSolutions", "CloudFormation Validate"}


@dataclass(frozen=True)
class Validated:
    """An assembly that both plugins checked, and their reports."""

    out: Path
    stacks: int

    @property
    def reports(self) -> list[Any]:
        return json.loads((self.out / "validation-report.json").read_text())["pluginReports"]

    @property
    def suppressed(self) -> set[tuple[str, str]]:
        """The acknowledged findings, each with its construct."""
        return {
            (each["acknowledgedAt"], each["acknowledgedId"])
            for report in self.reports
            for each in report["suppressedViolations"]
        }

    @property
    def acknowledged(self) -> dict[tuple[str, str], str]:
        """The reasons of all acknowledgements, by their place and the accepted rule."""
        return {
            (path.strip("/"), id): reason
            for file in self.out.rglob("*.metadata.json")
            for path, entries in json.loads(file.read_text()).items()
            for entry in entries
            if entry["type"] == "aws:cdk:acknowledged-rules"
            for id, reason in entry["data"].items()
        }

    def templates(self) -> Iterator[tuple[str, Path]]:
        """Every template with its Region, as the manifests name them."""
        for manifest in self.out.rglob("manifest.json"):
            for artifact in json.loads(manifest.read_text())["artifacts"].values():
                if artifact["type"] == "aws:cloudformation:stack":
                    region = artifact["environment"].rsplit("/", 1)[1]
                    yield region, manifest.parent / artifact["properties"]["templateFile"]


def variant(name: str, replicas: int, table_replicas: bool) -> Any:
    return pytest.param((replicas, table_replicas), id=name, marks=pytest.mark.xdist_group(f"validated {name}"))


@pytest.fixture(
    scope="module",
    params=[
        variant("by default", 2, False),
        variant("with table replicas", 2, True),
        variant("in one Region", 0, False),
        variant("in two Regions", 1, False),
        variant("in six Regions with table replicas", MOST_REPLICAS, True),
    ],
)
def validated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Validated:
    replicas, table_replicas = request.param
    out = tmp_path_factory.mktemp("validated")
    app = make_app(str(out), environment={**in_regions(replicas), "table_replicas": table_replicas})
    cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks())
    with suppress(RuntimeError):  # what is open is in the report, and shown better from there
        app.synth()
    # The pipeline, the primary Region and the roles; of each replica Region its stack, its support, its tables' key.
    return Validated(out, 3 + replicas * (3 if table_replicas else 2))


def test_no_finding_is_open(validated: Validated) -> None:
    assert {report["pluginName"] for report in validated.reports} == PLUGINS
    findings = [
        f"{finding['ruleName']} at {place['constructPath']}: {finding['description']}"
        for report in validated.reports
        for finding in report["violations"]
        for place in finding["violatingConstructs"]
    ]
    assert findings == []
    assert {report["conclusion"] for report in validated.reports} == {"success"}


def test_every_acknowledgement_has_a_finding_and_a_reason(validated: Validated) -> None:
    """One without a finding would hide the next that comes; CDK acknowledges some on its own flow logs."""
    ours = {key: reason for key, reason in validated.acknowledged.items() if not key[0].endswith("/Vpc/Flows")}
    assert validated.suppressed
    assert ours.keys() - validated.suppressed == set()
    assert all(len(reason.split()) > 3 for reason in ours.values())


def test_templates_stay_far_from_cloudformations_limits(validated: Validated) -> None:
    """500 resources, 200 outputs and 1 MB a template (CloudFormation user guide, "Quotas")."""
    for _, path in validated.templates():
        template = json.loads(path.read_text())
        assert len(template["Resources"]) < 250, path.name
        assert len(template.get("Outputs", {})) < 100, path.name
        assert path.stat().st_size < 500_000, path.name


def test_cfn_lint_is_silent(validated: Validated) -> None:
    """Each template by its own Region's schemas; .cfnlintrc.yaml lists the exceptions, with reasons."""
    by_region: dict[str, list[Path]] = defaultdict(list)
    for region, template in validated.templates():
        by_region[region].append(template)
    assert sum(map(len, by_region.values())) == len(list(validated.out.rglob("*.template.json"))) == validated.stacks
    for region, templates in by_region.items():
        command = [CFN_LINT, "--regions", region, "--format", "parseable", "--", *templates]
        told = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
        assert (told.returncode, told.stdout + told.stderr) == (0, "")
