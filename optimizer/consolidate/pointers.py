"""The pointers that the application follows: which table each entity is in.

Parameter Store keeps the versions before: what was turned can be seen, and by whom. It knows no condition on a write,
so a pointer is turned by single attempts, and right before each the plan's lease is held: no attempt of a run that lost
the lease can begin. One that was under way lands within the lease's length; whoever took over looks again after that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from botocore.exceptions import BotoCoreError, ClientError

from domain.errors import MoveFailed
from optimizer.consolidate.merge import POINTER, Merge
from optimizer.model.resource import Tags, Touched
from optimizer.ports.aws import Aws
from optimizer.resources.tags import flat

DECLARATION = "/tap/application/follows-pointers"  # docs/application.md
ATTEMPTS = 12
POLL = 5.0  # seconds
FOR_GOOD = ("AccessDeniedException", "ParameterNotFound", "ValidationException", "UnsupportedParameterType")


def follows_pointers(aws: Aws) -> bool:
    """Whether the application declares that it follows them."""
    try:
        shown = aws.ssm.get_parameter(Name=DECLARATION)
    except aws.ssm.exceptions.ParameterNotFound:
        return False
    return shown["Parameter"].get("Value", "").strip().casefold() == "true"


def read_pointers(aws: Aws, merge: Merge) -> dict[str, str]:
    """The table that each source's pointer points to now; a pointer that is missing is left out."""
    found = aws.ssm.get_parameters(Names=[POINTER + each for each in merge.sources])["Parameters"]
    return {each["Name"].removeprefix(POINTER): each["Value"] for each in found}


def touched_pointers(aws: Aws, merge: Merge) -> Iterator[Touched]:
    """The parameters that are turned: a tenant could own one."""

    def tags(name: str) -> Tags:
        try:
            return flat(aws.ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"])
        except aws.ssm.exceptions.InvalidResourceId:  # SSM's word for a parameter that is not there
            return {}

    for name in (POINTER + each for each in merge.sources):
        yield Touched(name, partial(tags, name))


def to_target(merge: Merge) -> dict[str, str]:
    """Every pointer at the merged table."""
    return dict.fromkeys(map(str, merge.sources), merge.target)


def to_sources(merge: Merge) -> dict[str, str]:
    """Every pointer at its own source."""
    return {str(each): str(each) for each in merge.sources}


def turn_pointers(aws: Aws, merge: Merge, wanted: Mapping[str, str], hold: Callable[[], object]) -> None:
    """Point each to its table; `hold` raises LeaseLost, and is called right before each attempt. Raises MoveFailed."""
    reason = ""
    for _ in range(ATTEMPTS):
        pointers = read_pointers(aws, merge)
        wrong = [name for name, table in wanted.items() if pointers.get(name) != table]
        if not wrong:
            return
        for name in wrong:
            hold()
            try:
                aws.ssm_once.put_parameter(Name=POINTER + name, Value=wanted[name], Overwrite=True)
            except (ClientError, BotoCoreError) as error:  # one whose answer was lost may have landed: look again
                reason = str(error)
                if isinstance(error, ClientError) and error.response["Error"]["Code"] in FOR_GOOD:
                    raise
                aws.clock.sleep(POLL)
    raise MoveFailed(
        f"The pointers {', '.join(POINTER + name for name in wrong)} could not be turned in {ATTEMPTS} attempts: "
        f"{reason}. Run the same command again."
    )
