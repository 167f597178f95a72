"""The pointers that the application follows: which table each entity is in.

Parameter Store keeps the versions before: what was turned can be seen, and by whom.
"""

from __future__ import annotations

from collections.abc import Mapping

from optimizer.consolidate.merge import POINTER, Merge
from optimizer.ports.aws import Aws

DECLARATION = "/tap/application/follows-pointers"  # docs/application.md


def follows_pointers(aws: Aws) -> bool:
    """Whether the application declares that it follows them."""
    try:
        shown = aws.ssm.get_parameter(Name=DECLARATION)
    except aws.ssm.exceptions.ParameterNotFound:
        return False
    return shown["Parameter"].get("Value", "").strip().casefold() == "true"


def read_pointers(aws: Aws, merge: Merge) -> dict[str, str]:
    """Where each source's pointer points now; a pointer that is missing is left out."""
    found = aws.ssm.get_parameters(Names=[POINTER + each for each in merge.sources])["Parameters"]
    return {each["Name"].removeprefix(POINTER): each["Value"] for each in found}


def turn_pointers(aws: Aws, wanted: Mapping[str, str]) -> None:
    """Point each to its table; one that does already is left as it is."""
    for name, table in wanted.items():
        if aws.ssm.get_parameter(Name=POINTER + name)["Parameter"]["Value"] != table:
            aws.ssm.put_parameter(Name=POINTER + name, Value=table, Overwrite=True)
