"""A target that was not copied but imported, from exports that Spark merged: what is left is to follow.

The exports are each of one moment, so everything since the earlier one is followed from the streams, which still have
to hold it. A change that an export already has is carried over again, and changes nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime

from domain.errors import Refused
from optimizer.consolidate.merge import Merge
from optimizer.consolidate.target import find_target
from optimizer.ports.aws import Aws

EXPORTED_AT = "tap:exported-at"  # the tag by which whoever imported the table says of when it is, in ISO 8601


def exported_at(aws: Aws, merge: Merge) -> datetime | None:
    """Of when the target is; None when there is none, or when it was not imported. Raises Refused for no time."""
    if (table := find_target(aws, merge)) is None:
        return None
    shown = aws.dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    tags = {each["Key"]: each["Value"] for each in shown}
    if (said := tags.get(EXPORTED_AT)) is None:
        return None
    try:
        moment = datetime.fromisoformat(said)
    except ValueError as error:
        raise Refused(
            f"{merge.target} carries the tag {EXPORTED_AT} with {said!r}, which is no time. "
            "Write the earlier ExportTime of the two exports there, as in 2027-03-01T08:00:00Z."
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
