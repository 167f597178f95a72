"""Checks before `make deploy` and `make destroy`: a valid environment, and the resources that stay.

`python -m pipeline.deployable` refuses the example environment, and prints the bootstrap commands
of the real one. An environment in a file, named by TAP_ENVIRONMENT, has to be committed: Build
synthesizes from the repository. `--leaves` prints the resources that destroying the pipeline does not remove.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from domain.environment import VARIABLE, Environment, EnvironmentInvalid, file_in_repository, load_environment
from pipeline.cli_version import CLI_VERSION
from pipeline.deployment_boundary import NAME as BOUNDARY

PROJECT = Path(__file__).parents[1]
REFUSED = 2
LEAVES = """\
`cdk destroy tap-pipeline` removes the pipeline and its jobs. It leaves, on purpose:
  in production   every stack (the replicas from the last: tap-replica-3, tap-replica-2; then tap-primary, tap-roles)
                  with all data: delete them by hand, in this order, after lifting their termination protection.
                  Tables, clusters, the replication group, keys, buckets and log groups are protected or retained
                  even then
  in tooling      the journal table tap-journal, the buckets of artifacts, of records and of their access logs,
                  the key tap-pipeline, the log group /tap/jobs, and a stack tap-pipeline-support-REGION in each other
                  Region"""
FILL_IN = (
    "accounts, primary (name, zones, image_id), replicas (name, zones), domain, certificate_arn, connection_arn, "
    "repository, branch, alarm_email and committers"
)


def main(argv: Sequence[str] | None = None, *, project: Path = PROJECT) -> int:
    """Exit code 0 if the deployment may go on, 2 if the environment is the example or cannot be used."""
    parser = argparse.ArgumentParser(prog="pipeline.deployable", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--leaves", action="store_true", help="say what destroying the pipeline leaves")
    arguments = parser.parse_args(argv)
    if arguments.leaves:
        print(LEAVES)  # noqa: T201 -- the command's answer
        return 0
    try:
        environment = _environment(os.environ.get(VARIABLE), project)
    except EnvironmentInvalid as error:
        return _refused(str(error))
    if environment.is_example:
        return _refused(
            "the environment still names the example accounts 111111111111 and 222222222222. "
            f"Fill in {FILL_IN} in cdk.json, or in a file that you commit: make deploy ENVIRONMENT=FILE.",
            bootstrap_commands(environment, tooling="TOOLING", production="PRODUCTION"),
        )
    accounts = environment.accounts
    _tell(bootstrap_commands(environment, tooling=accounts.tooling, production=accounts.production))
    return 0


def _environment(named: str | None, project: Path) -> Environment:
    """The environment that synthesis reads, here and in Build. EnvironmentInvalid also for an uncommitted file."""
    if not named:
        return load_environment(json.loads((project / "cdk.json").read_text())["context"]["environment"])
    file = file_in_repository(named, project)
    environment = load_environment(project / file)
    command = ["git", "-C", str(project), "ls-files", "--error-unmatch", "--", file]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise EnvironmentInvalid(f"{file}: is not committed, and Build has only what the repository holds")
    return environment


def bootstrap_commands(environment: Environment, *, tooling: str, production: str) -> list[str]:
    """The commands that prepare each account and Region; production trusts the tooling account.

    The boundary of CloudFormation's rights in production comes first: bootstrapping refers to it by name.
    """
    regions = [environment.primary.name, *(replica.name for replica in environment.replicas)]
    policy = "--cloudformation-execution-policies arn:aws:iam::aws:policy/AdministratorAccess"
    command = f"  npx aws-cdk@{CLI_VERSION} bootstrap aws://"
    home = [f"{command}{tooling}/{region} {policy}" for region in regions]
    bound = f"--custom-permissions-boundary {BOUNDARY}"
    document = f'"$(.venv/bin/python -m pipeline.deployment_boundary {production})"'
    boundary = f"  aws iam create-policy --policy-name {BOUNDARY} --policy-document {document}"
    away = [f"{command}{production}/{region} --trust {tooling} {bound} {policy}" for region in regions]
    return [*home, boundary, *away]


def _tell(commands: Sequence[str]) -> None:
    print("\n".join(["Bootstrapped once, with credentials of each account:", *commands]))  # noqa: T201 -- the answer


def _refused(reason: str, commands: Sequence[str] = ()) -> int:
    print(f"deploy: {reason}", file=sys.stderr)  # noqa: T201 -- the one clear line
    if commands:
        _tell(commands)
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())
