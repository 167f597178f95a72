"""Jobs in this process: the optimizer's verbs and the scripts of buildspecs, in the emulated account's world."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING
from unittest.mock import patch

from emulator.services.codebuild.builds import Builds
from rehearsal.job_world import job_world
from rehearsal.other_code import is_other_code, run_other_code
from rehearsal.pipeline.aws_cli import with_aws_cli
from rehearsal.pipeline.builds import Script, SignIn, Verb
from rehearsal.pipeline.conditions import surroundings

if TYPE_CHECKING:
    from emulator.account import EmulatedAccount


def in_process(account: EmulatedAccount) -> Verb:
    """The optimizer's own command line, in the account's world."""

    def run(arguments: Sequence[str], environ: Mapping[str, str], actor: str) -> int:
        from optimizer.cli.verbs import main  # the command line imports this package's commands

        if is_other_code(Path.cwd()):
            return run_other_code(account, arguments, environ)
        with account.acting(actor), account.part(Builds).at_work():
            return main(list(arguments), world=job_world(account, environ))

    return run


def script_in_process(account: EmulatedAccount, region: str) -> Script:
    """A script of the buildspec, with the job's variables and credentials."""

    def run(script: str, environ: Mapping[str, str], actor: str) -> int:
        session = account.session_of(account.key_of(environ), region)
        cli = patch("subprocess.run", with_aws_cli(session, subprocess.run))
        with account.acting(actor), surroundings(environ, region, session), cli:
            try:
                exec(_compiled(script), {"__name__": "__main__"})  # noqa: S102 -- our own template
            except (SystemExit, OSError) as error:
                print(error)  # noqa: T201 -- the job's log
                return 1
        return 0

    return run


def signed_in(account: EmulatedAccount) -> SignIn:
    """The credentials of a job's own role. CodeBuild serves them at an address; here they are variables."""
    return lambda role_arn: account.credentials.of_job(role_arn).variables


@cache
def _compiled(script: str) -> CodeType:
    return compile(script, "buildspec", "exec")
