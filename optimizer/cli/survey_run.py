"""A survey at the command line: its options checked, credentials found, page and record written, lines printed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import boto3
import botocore.session
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from domain.errors import UsageError
from optimizer.cli.output import require_writable
from optimizer.cli.plan_text import money_lines, several, survey_plan_lines
from optimizer.model.resource import EVERYTHING, Kind, Selection
from optimizer.ports.aws import Aws
from optimizer.ports.sessions import World
from optimizer.survey.limits import WHY_OURS, Limit
from optimizer.survey.page import write_page
from optimizer.survey.permissions import policy as iam_policy
from optimizer.survey.read_only import read_only
from optimizer.survey.record import record_of, write_record
from optimizer.survey.survey import Request, Survey
from optimizer.survey.survey import survey as look

EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
UNKNOWN = (
    "AuthFailure",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)


def policy_text(regions: list[str] | None) -> str:
    """The IAM policy that a survey of these Regions needs. Raises UsageError as `request_of` does."""
    return iam_policy(_partition(regions))


def request_of(regions: list[str] | None, tag: str | None, *, everything: bool, bill: bool) -> Request:
    """The request that the options make. Raises UsageError for no known Region or a tag that is not KEY=VALUE."""
    return Request(_regions(regions), _selection(tag, everything=everything), bill=bill)


def run(
    world: World, request: Request, profile: str | None, out: Path, record: Path | None, *, anonymous: bool
) -> Iterator[str]:
    """Look at the account, write page and record; the result, a line each."""
    session = _session(world, profile)
    require_writable(out)
    if record is not None:
        _require_file(record)
    asked = read_only(session)
    found = look(_aws(world, session, request.regions[0]), request, asked, _say)
    page = write_page(found, out)
    if record is not None:
        write_record(record_of(found, anonymous=anonymous), record)
    yield from survey_lines(found)
    yield f"The page is {page}."


def survey_lines(found: Survey) -> Iterator[str]:
    """The survey's result, a line each: decisions, what would not be carried out, what was not read, what it cost."""
    yield f"Account {found.account}, {found.request.selection.words} in {', '.join(found.request.regions)}."
    yield from survey_plan_lines(found.plan)
    if found.plan.held:
        yield f"{found.plan.held}."
    if money := found.evidence.money:
        yield from money_lines(money)
        yield from (f"  {note}" for note in money.notes)
    if found.limits:
        yield f"What would not be carried out, and why ({WHY_OURS}):"
    for (kind, region, reasons), names in _alike(found.limits).items():
        yield f"  {kind.name.lower():18} {several(names)} ({region}): {'; '.join(reasons)}"
    for line in found.unread:
        yield f"Not read: {line}."
    yield f"This look changed nothing and cost {found.spent.words}."


def _require_file(record: Path) -> None:
    """Make the record's folder. Raises UsageError when no file can be written there under this name."""
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        there = record.exists()
        with record.open("a"):
            pass
        if not there:
            record.unlink()
    except OSError as error:
        raise UsageError(f"survey: --record {record} cannot be written ({error.strerror}): name a file.") from error


def _alike(limits: Sequence[Limit]) -> dict[tuple[Kind, str, tuple[str, ...]], list[str]]:
    """The names of what is held back for the same reasons: the page has each on a row of its own."""
    found: dict[tuple[Kind, str, tuple[str, ...]], list[str]] = {}
    for each in limits:
        found.setdefault((each.kind, each.region, each.reasons), []).append(each.name)
    return found


def _regions(given: list[str] | None) -> tuple[str, ...]:
    """The Regions, each once. Raises UsageError for none, and for one that botocore does not know."""
    named = tuple(dict.fromkeys(name.strip() for each in given or () for name in each.split(",") if name.strip()))
    if not named:
        raise UsageError("survey: --regions names what to look at, as in --regions us-east-1,eu-west-1.")
    session = botocore.session.Session()
    known = {
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("ec2", partition_name=partition)
    }
    if unknown := [each for each in named if each not in known]:
        raise UsageError(f"survey: {', '.join(unknown)} is no Region of AWS. Names look like eu-west-1.")
    return named


def _partition(given: list[str] | None) -> str:
    """The partition of the first Region named, as it stands in every ARN."""
    if not given:
        return "aws"
    return str(botocore.session.Session().get_partition_for_region(_regions(given)[0]))


def _selection(tag: str | None, *, everything: bool) -> Selection:
    if tag is None:
        return EVERYTHING
    if everything:
        raise UsageError("survey: --tag and --all contradict each other; name one of them.")
    key, equals, value = tag.partition("=")
    if not (key and equals):
        raise UsageError(f"survey: --tag {tag!r} is not of the form KEY=VALUE.")
    return Selection((key, value))


def _session(world: World, profile: str | None) -> botocore.session.Session:
    """A session of the profile. Raises UsageError when there is no such profile."""
    session = world.open_session()
    if profile is None:
        return session
    there = session.available_profiles
    if profile not in there:
        raise UsageError(f"survey: there is no profile {profile}. ~/.aws/config has {', '.join(there) or 'none'}.")
    session.set_config_variable("profile", profile)
    return session


def _aws(world: World, session: botocore.session.Session, region: str) -> Aws:
    """The account whose credentials these are. Raises UsageError when there are none that AWS takes."""
    try:
        sts = boto3.Session(botocore_session=session).client("sts", region_name=region)
        account = sts.get_caller_identity()["Account"]
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise UsageError(
            "survey: no AWS credentials were found. Sign in (aws sso login, aws configure), or name a --profile."
        ) from error
    except (SSOError, TokenRetrievalError) as error:
        raise UsageError(f"survey: {error} Sign in again: aws sso login.") from error
    except ProfileNotFound as error:
        raise UsageError(f"survey: {error}.") from error
    except EndpointConnectionError as error:
        raise UsageError(f"survey: AWS cannot be reached in {region}: {error}") from error
    except ClientError as error:
        raise _refused(error, region) from error
    return Aws(boto3.Session(botocore_session=session), account, region, world.clock)


def _refused(error: ClientError, region: str) -> UsageError | ClientError:
    code = error.response["Error"]["Code"]
    if code in EXPIRED:
        return UsageError(f"survey: the AWS credentials have expired ({code}). Sign in again: aws sso login.")
    if code in UNKNOWN:
        return UsageError(
            f"survey: AWS does not take these credentials in {region} ({code}). They are wrong, or the Region is not "
            "enabled in this account."
        )
    return error


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 -- progress for people
