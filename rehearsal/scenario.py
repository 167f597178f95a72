"""A scenario: a data file with the platform's users, the events that happen to it, and its expected end.

Scenarios differ in nothing else: the workload's constants are one set for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AwareDatetime,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
)

from domain.errors import UsageError
from domain.sizing import Sizing
from domain.values import _Value
from emulator.billing.spec import BillingSpec
from emulator.workload.spec import FollowedPointers, IndexJob, Milestone, WorkloadEvent, WorkloadSpec

WALKED_AT = datetime(2027, 3, 1, 8, tzinfo=UTC)  # a Monday morning
SCENARIOS = Path(__file__).parent / "scenarios"


class Outcome(Enum):
    """Outcome of a phase.

    KEPT: it had decisions, and none of them APPLY. SKIPPED: it had nothing to decide, or its stage did not run. HELD:
    applied and observed, then neither accepted nor rolled back.
    """

    ACCEPTED = "accepted"
    ROLLED_BACK = "rolled_back"
    KEPT = "kept"
    SKIPPED = "skipped"
    HELD = "held"


class Tagging(_Value):
    """Tags put on a resource, by its physical name: before the plan, or later, `on` a milestone.

    With `instance`, the tags go on that instance of a group, counted from 1.
    """

    resource: str
    instance: PositiveInt | None = None
    tags: dict[str, str] = Field(min_length=1)
    on: Milestone | None = None


class Pipe(_Value):
    """An EventBridge pipe on a table's stream from the first day on."""

    name: str
    table: str


class FalseDriftSpec(_Value):
    """A fault of CloudFormation: drift-aware change sets always report a property of these resources as drifted."""

    stack: str
    type: str
    property: str


class ByHand(_Value):
    """A manual call in the primary Region, outside the pipeline, some minutes after a milestone."""

    on: Milestone
    after_minutes: NonNegativeFloat = 0
    account: Literal["production", "tooling"] = "production"
    service: str
    call: str
    parameters: dict[str, Any]


class Push(_Value):
    """A commit that reaches the branch at a milestone: in one file, it replaces one text by another.

    The current execution keeps its own commit; projects beside the pipeline take the branch as source.
    """

    on: Milestone
    file: str
    old: str
    new: str


class StopSpec(_Value):
    """Somebody stops the execution some time after a stage's Observe gate opened, and releases the commit again."""

    stage: Annotated[str, Field(pattern=r"^Phase[123]$")]
    after_hours: PositiveFloat


class PersonSpec(_Value):
    """The person at the gates: their answers, their delays, and the number of Observe gates they do not answer.

    With `approve_early_after_hours`, they approve an observed phase at its first gate, that long after it was
    applied, before its window has ended; at the next gate they wait for the window. A stage that holds they retry
    once a day, for `retries_for_days`.
    """

    approve_plan: bool = True
    approve_after_minutes: NonNegativeFloat = 60
    approve_phases: bool = True
    confirms_alone: bool = False  # answers the second approver's gate as well
    leaves_gates: NonNegativeInt = 0
    stops: StopSpec | None = None
    approve_early_after_hours: PositiveFloat | None = None
    retries_for_days: PositiveFloat = 14


class JobDies(_Value):
    """A pipeline job dies some minutes after it printed `says`, and nobody retries its stage."""

    job: Annotated[str, Field(pattern=r"^Phase[123]\.(Apply|Accept)$")]
    says: str
    after_minutes: NonNegativeFloat = 0


class Ending(_Value):
    """Expected outcome of one decision, and words that its reason must contain."""

    outcome: str
    because: str = ""


class Expectation(_Value):
    """Expected end of the rehearsal. `drift_differences` of null is not compared: a held phase leaves a difference.

    `window_hours`: the longest allowed observation of a phase. `actions`: by action and resource, for example
    `gsi_removal users`.
    `planned_cost_within`: allowed difference, as a share, between the plan's monthly costs and the account's bill.
    `stranded`: minimum US dollars a month for commitments that nothing uses. `sizing`: the sizing in force.
    """

    phases: dict[Literal["1", "2", "3"], Outcome]
    tenant_resources_touched: NonNegativeInt = 0
    drift_differences: NonNegativeInt | None = 0
    next_deployment_changes: NonNegativeInt | None = 0
    window_hours: dict[Literal["1", "2", "3"], PositiveFloat] = Field(default_factory=dict)
    actions: dict[str, Ending] = Field(default_factory=dict)
    sizing: Sizing | None = None
    stranded: NonNegativeFloat = 0
    planned_cost_within: PositiveFloat | None = None
    excluded: tuple[str, ...] = ()  # resources that the plan must list as left to their tenants


class Scenario(_Value):
    """One life of the platform. `days` is its age at `begins`, when the pipeline proposes the plan.

    With `starts_from`, that sizing is deployed and in force instead of the design.
    With `execution_dies_at`, the first execution ends before that stage, and the same commit is released again.
    With `ends_after`, the rehearsal ends with that stage: from there on this life is another scenario's.
    """

    name: str
    summary: str
    days: PositiveInt
    begins: AwareDatetime = WALKED_AT
    workload: WorkloadSpec
    starts_from: Sizing | None = None
    follows_pointers: FollowedPointers | None = None
    taggings: tuple[Tagging, ...] = ()
    jobs: tuple[IndexJob, ...] = ()
    pipes: tuple[Pipe, ...] = ()
    false_drift: tuple[FalseDriftSpec, ...] = ()
    by_hand: tuple[ByHand, ...] = ()
    pushes: tuple[Push, ...] = ()
    events: tuple[WorkloadEvent, ...] = ()
    person: PersonSpec = PersonSpec()
    billing: BillingSpec = BillingSpec()
    execution_dies_at: str | None = None
    ends_after: Annotated[str, Field(pattern=r"^Phase[123]$")] | None = None
    job_dies: JobDies | None = None
    expect: Expectation


class _Yaml(yaml.SafeLoader):
    """YAML in which only true and false are booleans: PyYAML reads YAML 1.1, in which the key `on` is one as well."""


_BOOLEAN = "tag:yaml.org,2002:bool"
_Yaml.yaml_implicit_resolvers = {
    first: [each for each in resolvers if each[0] != _BOOLEAN]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml.add_implicit_resolver(_BOOLEAN, re.compile(r"^(?:true|false)$"), list("tf"))


def known_scenarios() -> tuple[str, ...]:
    """The names of the scenarios that come with the product."""
    return tuple(sorted(path.stem for path in SCENARIOS.glob("*.yaml")))


def load_scenario(name_or_path: str) -> Scenario:
    """The scenario with that name, or in that file.

    Raises UsageError with one line: an unknown name, an unreadable file, or the fault in it.
    """
    is_path = name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path
    if not is_path and name_or_path not in known_scenarios():
        raise UsageError(
            f"no scenario {name_or_path!r}. There are: {', '.join(known_scenarios())}; or give a YAML file."
        )
    path = Path(name_or_path) if is_path else SCENARIOS / f"{name_or_path}.yaml"
    try:
        return Scenario.model_validate(yaml.load(path.read_text(), _Yaml))  # noqa: S506 -- _Yaml is a SafeLoader
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not a text file.") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise UsageError(f"{path}: {'; '.join(_faults(error))}.") from error


def _faults(error: ValidationError) -> Iterator[str]:
    for each in error.errors():
        place = ".".join(str(part) for part in each["loc"]) or "the file"
        yield f"{place}: {each['msg'].removeprefix('Value error, ')}"
