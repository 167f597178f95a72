"""The platform's accounts, Regions and addresses: one validated value, read from `cdk.json` or a file.

Synthesis, the pipeline and the command line share it, so it imports no aws_cdk. The repository
ships an example environment, which synthesizes and rehearses but must never be deployed to.

`TAP_ENVIRONMENT` names a file of the repository instead. The pipeline gives the jobs that synthesize
the same file, by its path in the repository: a job has only the commit.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

VARIABLE = "TAP_ENVIRONMENT"
EXAMPLE_ACCOUNTS = frozenset({"111111111111", "222222222222"})

AccountId = Annotated[str, StringConstraints(pattern=r"^\d{12}$")]
RegionName = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
ZoneName = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d[a-z]$")]
ImageId = Annotated[str, StringConstraints(pattern=r"^ami-[0-9a-f]{8,17}$")]
CertificateArn = Annotated[
    str, StringConstraints(pattern=r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]{36}$")
]
ConnectionArn = Annotated[
    str,
    StringConstraints(
        pattern=r"^arn:aws[a-z-]*:(codeconnections|codestar-connections):[a-z0-9-]+:\d{12}:connection/[0-9a-f-]{36}$"
    ),
]
Repository = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$")]
DomainName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9-]+\.)+[a-z]{2,}$")]
EmailAddress = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class EnvironmentInvalid(ValueError):
    """The environment cannot be used; the message is one line naming the field and what is wrong."""


class _Value(BaseModel):
    """A frozen value that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Accounts(_Value):
    """The account that runs the pipeline, and the account of the platform."""

    tooling: AccountId
    production: AccountId


FEWEST_ZONES, MOST_ZONES = 2, 6
MOST_REPLICAS = 5
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
IN_CDK_JSON = "cdk.json, environment"


class Region(_Value):
    """One Region and the availability zones used in it: two to six, which is the most that a Region has.

    The design does not allow one. An Application Load Balancer needs subnets of at least two zones (Elastic Load
    Balancing API, CreateLoadBalancer), and so does a DB subnet group (RDS API, CreateDBSubnetGroup), of which the
    primary and each replica Region have one.
    """

    name: RegionName
    zones: tuple[ZoneName, ...]

    @model_validator(mode="after")
    def _zones_are_its_own(self) -> Self:
        foreign = [zone for zone in self.zones if zone[:-1] != self.name]
        if foreign:
            raise ValueError(f"zone {foreign[0]} is not in {self.name}")
        if len(set(self.zones)) != len(self.zones):
            raise ValueError(f"the zones of {self.name} must differ")
        if not FEWEST_ZONES <= len(self.zones) <= MOST_ZONES:
            raise ValueError(
                f"zones: {len(self.zones)} are named in {self.name}, and {FEWEST_ZONES} to {MOST_ZONES} are taken: AWS "
                "makes no Application Load Balancer (CreateLoadBalancer) and no DB subnet group "
                "(CreateDBSubnetGroup: DBSubnetGroupDoesNotCoverEnoughAZs) in fewer than two"
            )
        return self


class PrimaryRegion(Region):
    """The Region that runs the fleet: `image_id` is the machine image its instances start from."""

    image_id: ImageId


class Environment(_Value):
    """Accounts, Regions, source and addresses. `replicas` are Region 2 and those that follow, in order: none to five.

    An Aurora Global Database takes up to ten (Aurora User Guide, "Configuration requirements of an Amazon Aurora
    global database"); the platform was designed for five at most.

    `domain` is the platform's host name; the certificate covers it. `table_replicas` adds
    DynamoDB replicas in the replica Regions; "keys" adds only the replicas of their key, which must be deployed
    before them. With `second_approver`, a plan with one-way moves needs a
    second person, who is none of `committers` (the names of users or sessions that push to the
    branch). `weekly_start` releases the newest commit every Monday.
    """

    accounts: Accounts
    primary: PrimaryRegion
    replicas: tuple[Region, ...] = Field(max_length=MOST_REPLICAS)
    domain: DomainName
    certificate_arn: CertificateArn
    connection_arn: ConnectionArn
    repository: Repository
    branch: str = Field(default="main", min_length=1)
    alarm_email: EmailAddress
    table_replicas: bool | Literal["keys"] = False
    second_approver: bool = True
    committers: tuple[str, ...] = ()
    weekly_start: bool = True

    @model_validator(mode="after")
    def _regions_differ(self) -> Self:
        names = [self.primary.name, *(replica.name for replica in self.replicas)]
        if len(set(names)) != len(names):
            many = _NUMBERS[len(names)]
            raise ValueError(f"primary and replicas must be {many} different Regions, not {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _arns_are_where_they_are_used(self) -> Self:
        certificate_region, certificate_account = self.certificate_arn.split(":")[3:5]
        if certificate_region != self.primary.name:
            raise ValueError(f"certificate_arn is in {certificate_region}; the load balancer is in {self.primary.name}")
        if certificate_account != self.accounts.production:
            raise ValueError(
                f"certificate_arn is of account {certificate_account}; the load balancer is in the production account "
                f"{self.accounts.production}"
            )
        connection_account = self.connection_arn.split(":")[4]
        if connection_account != self.accounts.tooling:
            raise ValueError(
                f"connection_arn is of account {connection_account}; the pipeline is in the tooling account "
                f"{self.accounts.tooling}"
            )
        return self

    @model_validator(mode="after")
    def _somebody_else_confirms(self) -> Self:
        if self.second_approver and not self.committers:
            raise ValueError(
                "second_approver wants somebody who does not push, and committers names nobody: name who pushes, or "
                "set second_approver to false"
            )
        return self

    @property
    def is_example(self) -> bool:
        """Whether this still names an example account, so that nothing may be deployed."""
        return bool({self.accounts.tooling, self.accounts.production} & EXAMPLE_ACCOUNTS)

    @property
    def table_regions(self) -> tuple[str, ...]:
        """The Regions that get a replica of each table: none, unless `table_replicas` is true."""
        return tuple(replica.name for replica in self.replicas) if self.table_replicas is True else ()

    @property
    def table_key_regions(self) -> tuple[str, ...]:
        """The Regions that get a replica of the tables' key."""
        return tuple(replica.name for replica in self.replicas) if self.table_replicas else ()

    @property
    def replica_numbers(self) -> tuple[int, ...]:
        """The numbers of the replica Regions, as `Sizing.aurora.secondaries` counts them: the primary is Region 1."""
        return tuple(range(2, 2 + len(self.replicas)))

    def replica(self, number: int) -> Region:
        """A replica Region by its number."""
        return self.replicas[number - 2]


def load_environment(source: Mapping[str, Any] | str | Path | None) -> Environment:
    """The environment in `source`: the context value of `cdk.json`, or the path of a JSON or YAML file.

    Raises EnvironmentInvalid with one line that names the first wrong or missing field.
    """
    if source is None:
        raise EnvironmentInvalid(f"environment: missing; cdk.json holds it, or {VARIABLE} names a file")
    where, content = (IN_CDK_JSON, source) if isinstance(source, Mapping) else _read(Path(source))
    try:
        return Environment.model_validate(content)
    except ValidationError as error:
        raise EnvironmentInvalid(f"{where}: {_first_problem(error)}") from None


def require_regions(environment: Environment, secondaries: Collection[int], file: str | None) -> None:
    """Raises EnvironmentInvalid when the sizing in force has an Aurora secondary where the environment has no Region.

    `file` is where the environment was read; None: cdk.json.
    """
    if beyond := sorted(set(secondaries) - set(environment.replica_numbers)):
        raise EnvironmentInvalid(
            f"{file or IN_CDK_JSON}: replicas: {len(environment.replicas)} named, and the sizing in force has an Aurora"
            f" secondary in Region {beyond[0]}: name that Region again, or see docs/runbook.md, Fewer or more Regions"
        )


def file_in_repository(named: str, repository: Path) -> str:
    """The file's path within the repository. Raises EnvironmentInvalid if it is outside."""
    path = (repository / named).resolve()
    if not path.is_relative_to(repository.resolve()):
        raise EnvironmentInvalid(f"{named}: is not inside the repository {repository}, and a build has nothing else")
    return path.relative_to(repository.resolve()).as_posix()


def _read(path: Path) -> tuple[str, object]:
    """The file's name for messages, and its content."""
    try:
        text = path.read_text()
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentInvalid(f"{path}: cannot be read ({error.__class__.__name__})") from error
    except (json.JSONDecodeError, yaml.YAMLError, RecursionError) as error:
        raise EnvironmentInvalid(f"{path}: is neither JSON nor YAML ({str(error).splitlines()[0]})") from error
    return str(path), content


def _first_problem(error: ValidationError) -> str:
    """The first finding as `field: what is wrong`, and how many more there are."""
    first, *more = error.errors()
    field = ".".join(str(part) for part in first["loc"]) or "environment"
    given = "" if first["type"] in {"missing", "extra_forbidden"} else f", not {str(first['input'])[:80]!r}"
    if first["type"] == "value_error":  # our own message already has the value
        given = ""
    message = first["msg"].removeprefix("Value error, ")
    return f"{field}: {message}{given}" + (f" (and {len(more)} more)" if more else "")
