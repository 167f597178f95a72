"""AWS errors as the person at the command line reads them: what each means, and what to do about it. Pure."""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigNotFound,
    ConfigParseError,
    CredentialRetrievalError,
    EndpointConnectionError,
    InvalidConfigError,
    InvalidRegionError,
    LoginError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

SIGN_IN = "Sign in (`aws sso login`, or set AWS_PROFILE to a profile of the tooling account), then run it again"
WHOSE = "`aws sts get-caller-identity` shows whose credentials are in use"
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
INVALID = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"})
REGION = frozenset({"OptInRequired", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"})
ABSENT = frozenset({"ResourceNotFoundException", "ParameterNotFound", "NoSuchBucket", "PipelineNotFoundException"})
MISSING = (NoCredentialsError, PartialCredentialsError)
STALE = (SSOError, TokenRetrievalError, CredentialRetrievalError, LoginError)
MISCONFIGURED = (ProfileNotFound, ConfigNotFound, ConfigParseError, InvalidConfigError)
OF_THE_REGION = (NoRegionError, InvalidRegionError)
AGAIN = "Nothing is lost: run the same command again; if it persists, see docs/runbook.md."


def aws_error_text(error: ClientError | BotoCoreError) -> str:
    """One line: which call failed, what AWS said, and what to do."""
    if isinstance(error, ClientError):
        said = error.response["Error"]
        code, message = str(said.get("Code")), " ".join(str(said.get("Message") or "").split())
        happened = f"{error.operation_name} answered {code}" + (f": {message}" if message else "")
        return f"{_sentence(happened)} {_client_advice(code, message)}"
    return f"{_sentence(' '.join(str(error).split()))} {_local_advice(error)}"


def _client_advice(code: str, message: str) -> str:
    if code in EXPIRED or "expired" in message.casefold():
        return f"The credentials have expired. {SIGN_IN}; every verb goes on where it stopped."
    if code in INVALID:
        return f"AWS does not accept these credentials. {SIGN_IN}. {WHOSE}."
    if code in DENIED:
        return (
            f"These credentials lack that right: the wrong profile or account, or a role without it. {WHOSE}; "
            "docs/permissions.md says which job may do what."
        )
    if code in REGION:
        return "The Region is the wrong one, or not enabled: correct TAP_PRIMARY_REGION and TAP_SECONDARY_REGIONS."
    if code in ABSENT:
        return (
            "It is not in this account and Region: correct AWS_PROFILE, TAP_PRIMARY_REGION or the variable that names "
            f"it (TAP_JOURNAL_TABLE for the journal). {WHOSE}."
        )
    return AGAIN


def _local_advice(error: BotoCoreError) -> str:
    match error:
        case _ if isinstance(error, MISSING):
            return f"There are no complete AWS credentials. {SIGN_IN}."
        case _ if isinstance(error, STALE):
            return f"The credentials could not be read, or have expired. {SIGN_IN}."
        case _ if isinstance(error, MISCONFIGURED):
            return "Correct AWS_PROFILE or ~/.aws/config; `aws configure list-profiles` shows the profiles there are."
        case _ if isinstance(error, OF_THE_REGION):
            return "Set TAP_PRIMARY_REGION (and AWS_REGION) to a Region of AWS, such as us-east-1."
        case EndpointConnectionError():
            return (
                "No such Region, or no network: correct TAP_PRIMARY_REGION, TAP_SECONDARY_REGIONS or AWS_ENDPOINT_URL, "
                "or connect to the network; then run it again."
            )
    return AGAIN


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
