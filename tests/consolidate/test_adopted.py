"""After acceptance the code knows the merged table and the turned pointers: no difference from the account."""

from __future__ import annotations

import pytest

from optimizer.consolidate.layout import table_shape
from stages.indexes import MERGED, SOURCES, merged_indexes
from stages.sizing import Sizing
from tests.actions.sized_foundation import Foundation, foundation

pytestmark = pytest.mark.slow

KEPT = ("by-domain", "by-email", "by-role", "by-status")
CONSOLIDATED = Sizing.AS_DESIGNED.consolidated(KEPT)


def made_as_its_source_is(loaded: Foundation) -> None:
    """The merged table beside its sources, with all that the two have in common."""
    dynamodb = loaded.aws.dynamodb
    source = dynamodb.describe_table(TableName="users")["Table"]
    dynamodb.create_table(
        TableName=MERGED,
        **table_shape(MERGED, merged_indexes(KEPT)),
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        SSESpecification={
            "Enabled": True,
            "SSEType": "KMS",
            "KMSMasterKeyId": source["SSEDescription"]["KMSMasterKeyArn"],
        },
        DeletionProtectionEnabled=True,
        Tags=dynamodb.list_tags_of_resource(ResourceArn=source["TableArn"])["Tags"],
    )
    dynamodb.get_waiter("table_exists").wait(TableName=MERGED)
    dynamodb.update_continuous_backups(
        TableName=MERGED, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )


def turned(loaded: Foundation, *, to: str | None) -> None:
    for name in SOURCES:
        loaded.aws.ssm.put_parameter(Name=f"/tap/tables/{name}", Value=to or name, Overwrite=True)


def test_template_and_account_agree_once_the_pointers_are_turned() -> None:
    with foundation() as loaded:
        assert loaded.drift(Sizing.AS_DESIGNED) == ()
        assert {(each.name, each.property) for each in loaded.drift(CONSOLIDATED)} == {
            (MERGED, "(resource)"),
            *((f"/tap/tables/{name}", "Value") for name in SOURCES),
        }
        made_as_its_source_is(loaded)
        turned(loaded, to=MERGED)
        assert loaded.drift(CONSOLIDATED) == ()
        turned(loaded, to=None)
        assert {each.name for each in loaded.drift(CONSOLIDATED)} == {f"/tap/tables/{name}" for name in SOURCES}
