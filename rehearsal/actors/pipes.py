"""Pipes on a table's stream: consumers that no Lambda function shows."""

from __future__ import annotations

from domain.errors import UsageError
from optimizer.ports.aws import Aws
from rehearsal.scenario import Pipe


def put_pipe(aws: Aws, pipe: Pipe) -> None:
    """Make the pipe from the table's stream to a queue; raises UsageError if the table has no stream."""
    table = aws.dynamodb.describe_table(TableName=pipe.table)["Table"]
    if "LatestStreamArn" not in table:
        raise UsageError(f"The scenario puts the pipe {pipe.name} on {pipe.table}, which has no stream.")
    aws.pipes.create_pipe(
        Name=pipe.name,
        RoleArn=f"arn:aws:iam::{aws.account}:role/{pipe.name}",
        Source=table["LatestStreamArn"],
        SourceParameters={"DynamoDBStreamParameters": {"StartingPosition": "LATEST"}},
        Target=f"arn:aws:sqs:{aws.region}:{aws.account}:{pipe.name}",
    )
