"""The command line's message when AWS, a profile, a Region or a folder is wrong: one line, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from domain.errors import MoveFailed, WrongState
from optimizer.cli.aws_errors import AGAIN, aws_error_text
from optimizer.cli.page import published
from optimizer.cli.verbs import main
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import Purpose
from optimizer.ports.sessions import World as Outside
from rehearsal.job_world import job_world
from tests.execute.conftest import ENVIRON, World
from tests.execute.conftest import make_world as make_world
from tests.execute.conftest import world as world

SIGN_IN = "aws sso login"


def refused(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "GetItem")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (refused("ExpiredTokenException", "The security token included in the request is expired"), "have expired"),
        (refused("ExpiredToken"), SIGN_IN),
        (refused("UnrecognizedClientException", "The security token is invalid."), "does not accept these credentials"),
        (refused("InvalidClientTokenId"), SIGN_IN),
        (refused("InvalidSignatureException", "Signature expired: 2027 is now earlier than 2026"), "have expired"),
        (refused("AccessDeniedException", "User: x is not authorized"), "wrong profile"),
        (refused("UnauthorizedOperation"), "aws sts get-caller-identity"),
        (refused("ResourceNotFoundException", "Requested resource not found"), "TAP_JOURNAL_TABLE"),
        (refused("OptInRequired"), "TAP_PRIMARY_REGION"),
        (NoCredentialsError(), SIGN_IN),
        (PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), SIGN_IN),
        (SSOTokenLoadError(error_msg="expired"), SIGN_IN),
        (UnauthorizedSSOTokenError(), SIGN_IN),
        (TokenRetrievalError(provider="sso", error_msg="expired"), SIGN_IN),
        (ProfileNotFound(profile="prod"), "aws configure list-profiles"),
        (NoRegionError(), "TAP_PRIMARY_REGION"),
        (EndpointConnectionError(endpoint_url="https://dynamodb.eu-nowhere-1.amazonaws.com/"), "No such Region"),
    ],
)
def test_a_fault_that_trying_again_does_not_mend_says_what_does(error: ClientError | BotoCoreError, says: str) -> None:
    text = aws_error_text(error)
    assert says in text
    assert AGAIN not in text
    assert "\n" not in text


def test_a_fault_that_passes_is_tried_again() -> None:
    text = aws_error_text(refused("ThrottlingException", "Rate exceeded"))
    assert text == f"GetItem answered ThrottlingException: Rate exceeded. {AGAIN}"


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"AWS_PROFILE": "nobodys"}, "aws configure list-profiles"),
        ({}, SIGN_IN),
    ],
)
def test_the_command_says_it_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    variables: dict[str, str],
    says: str,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["status"], world=Outside.real(ENVIRON)) == 7
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert says in lines[0]


@pytest.mark.parametrize(
    "verb",
    [["analyze"], ["dashboard"], ["publish"], ["rehearse"], ["sizing"]],
)
def test_an_out_that_cannot_be_written_is_one_line(
    world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path, verb: list[str]
) -> None:
    (tmp_path / "file").write_text("")
    under = tmp_path / "file" / "out"  # a folder below a file cannot be made, by anybody
    out = under / "sizing.json" if verb == ["sizing"] else under
    assert main([*verb, "--out", str(out)], world=job_world(world.account, world.environ)) == 64
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert re.search(rf"--out {re.escape(str(under))} cannot be written \(.+\): choose", lines[0])


@pytest.mark.parametrize(
    ("wrote", "error", "files"), [(False, WrongState, 0), (True, WrongState, 1), (True, MoveFailed, 1)]
)
def test_a_verb_that_was_refused_publishes_nothing(
    world: World, wrote: bool, error: Callable[[str], Exception], files: int
) -> None:
    s3 = world.account.client("s3", "111111111111", "us-east-1")
    s3.create_bucket(Bucket="records")
    plan = world.approved()
    life = replace(world, environ={**ENVIRON, "TAP_RECORDS_BUCKET": "records"}).fresh()

    def verb() -> None:
        with published(life):
            with life.journal.lease(Purpose.APPLY, "test") as lease:
                lease.hold()
                if wrote:
                    JournalWriter(life.journal, lease).note(plan, None, "something happened")
            raise error("no")

    with pytest.raises((WrongState, MoveFailed)):
        verb()
    pages = [each for each in s3.list_objects_v2(Bucket="records").get("Contents", []) if "dashboard" in each["Key"]]
    assert len(pages) == files
