"""Each setting of a table besides its items is named separately."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from optimizer.resources.tables.beyond_items import beyond_items

PLAIN: dict[str, Any] = {
    "TableName": "users",
    "TableArn": "arn:aws:dynamodb:us-east-1:222222222222:table/users",
    "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
    "GlobalSecondaryIndexes": [{"IndexName": "by-email", "OnDemandThroughput": {"MaxReadRequestUnits": -1}}],
}
STREAM = "arn:aws:kinesis:us-east-1:222222222222:stream/changes"


class NotFound(Exception):
    pass


def answering(
    table: dict[str, Any], policy: str | None = None, destinations: Any = (), insights: Any = ()
) -> SimpleNamespace:
    """DynamoDB as these answers have it; insights come page by page."""

    def get_resource_policy(**_: Any) -> Any:
        if policy is None:
            raise NotFound
        return {"Policy": policy, "RevisionId": "1"}

    def list_contributor_insights(NextToken: str = "0", **_: Any) -> Any:  # noqa: N803
        pages, page = list(insights), int(NextToken)
        more = {"NextToken": str(page + 1)} if page + 1 < len(pages) else {}
        return {"ContributorInsightsSummaries": pages[page] if pages else [], **more}

    dynamodb = SimpleNamespace(
        exceptions=SimpleNamespace(PolicyNotFoundException=NotFound),
        describe_table=lambda **_: {"Table": table},
        get_resource_policy=get_resource_policy,
        describe_kinesis_streaming_destination=lambda **_: {"KinesisDataStreamDestinations": list(destinations)},
        list_contributor_insights=list_contributor_insights,
    )
    return SimpleNamespace(dynamodb=dynamodb)


@pytest.mark.parametrize(
    ("changes", "answers", "named"),
    [
        ({}, {}, ()),
        ({}, {"policy": '{"Statement": []}'}, ("users: a resource policy",)),
        ({"BillingModeSummary": {"BillingMode": "PROVISIONED"}}, {}, ("users: billed as PROVISIONED",)),
        ({"BillingModeSummary": {}}, {}, ("users: billed as PROVISIONED",)),  # not shown of a table that was never else
        ({"LocalSecondaryIndexes": [{"IndexName": "by-age"}]}, {}, ("users: the local index by-age",)),
        ({"OnDemandThroughput": {"MaxWriteRequestUnits": 100}}, {}, ("users: MaxWriteRequestUnits 100",)),
        (
            {"GlobalSecondaryIndexes": [{"IndexName": "by-email", "OnDemandThroughput": {"MaxReadRequestUnits": 5}}]},
            {},
            ("users: MaxReadRequestUnits 5 of by-email",),
        ),
        (
            {},
            {"destinations": [{"StreamArn": STREAM, "DestinationStatus": "ACTIVE"}]},
            (f"users: its changes go to {STREAM}",),
        ),
        ({}, {"destinations": [{"StreamArn": STREAM, "DestinationStatus": "DISABLED"}]}, ()),
        (
            {},
            {"insights": [[], [{"TableName": "users", "ContributorInsightsStatus": "ENABLED"}]]},
            ("users: Contributor Insights",),
        ),
        ({}, {"insights": [[{"IndexName": "by-email", "ContributorInsightsStatus": "DISABLED"}]]}, ()),
    ],
)
def test_each_thing_that_a_table_made_anew_would_lack(changes: Any, answers: Any, named: tuple[str, ...]) -> None:
    aws: Any = answering({**PLAIN, **changes}, **answers)
    assert beyond_items(aws, "users") == named
