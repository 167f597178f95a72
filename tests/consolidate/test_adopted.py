"""After acceptance the code knows the merged table and the turned pointers: no difference from the account."""

from __future__ import annotations

from typing import Any

import pytest

from domain.indexes import MERGED, SOURCES, merged_indexes
from domain.sizing import Sizing
from optimizer.consolidate.mapping import table_shape
from optimizer.reconcile.bring_templates import TemplateUpdate
from optimizer.reconcile.deployed import deployed_template
from tests.actions.sized_foundation import Foundation, foundation, synthesized

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


def test_the_deployed_template_follows_and_nothing_is_touched() -> None:
    """The change set imports the table as it is; the pointers are as the template says already."""
    with foundation() as loaded:
        made_as_its_source_is(loaded)
        turned(loaded, to=MERGED)
        loaded.aws.dynamodb.put_item(TableName=MERGED, Item={"pk": {"S": "TENANT#t"}, "sk": {"S": "users#USER#u"}})
        before = actual(loaded)
        stacks = synthesized(CONSOLIDATED.model_dump_json())
        with loaded.account.acting("reconcile"):
            assert TemplateUpdate(loaded.aws, lambda: None, lambda: None, print).bring(stacks)
        assert actual(loaded) == before
        deployed = {stack.name: deployed_template(loaded.aws.at(stack.region), stack.name) for stack in stacks}
        assert deployed == {stack.name: stack.template for stack in stacks}
        assert loaded.drift(CONSOLIDATED) == ()
        loaded.push(CONSOLIDATED)
        assert actual(loaded) == before


def actual(loaded: Foundation) -> dict[str, Any]:
    """State that must not change: every table with its items, and the pointers' values."""
    dynamodb, ssm = loaded.aws.dynamodb, loaded.aws.ssm
    names = (*SOURCES, MERGED, "audit_logs")
    return {
        "tables": {name: dynamodb.describe_table(TableName=name)["Table"] for name in names},
        "items": dynamodb.scan(TableName=MERGED)["Items"],
        "pointers": [ssm.get_parameter(Name=f"/tap/tables/{name}")["Parameter"]["Value"] for name in SOURCES],
    }
