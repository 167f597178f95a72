"""The difference between a change and a call that only moves data."""

from datetime import UTC, datetime

import pytest

from emulator.core.call_record import REHEARSAL, Call, CallRecord


def call(service, operation, actor="Phase1.Apply", number=1):
    return Call(
        number=number,
        at=datetime(2027, 3, 1, tzinfo=UTC),
        account="222222222222",
        region="us-east-1",
        service=service,
        operation=operation,
        actor=actor,
        access_key="AKIA",
        read_parameters=dict,
        forward=dict,
    )


@pytest.mark.parametrize(
    ("service", "operation", "mutating", "reconfigures"),
    [
        ("dynamodb", "DescribeTable", False, False),
        ("dynamodb", "Query", False, False),
        ("dynamodb", "PutItem", True, False),
        ("dynamodb", "UpdateTable", True, True),
        ("cloudwatch", "GetMetricData", False, False),
        ("cloudwatch", "PutMetricData", True, False),
        ("autoscaling", "StartInstanceRefresh", True, True),
        ("sts", "AssumeRole", False, False),
        ("rds", "SomethingNew", True, True),  # what is not known to read counts as changing
    ],
)
def test_reading_changing_and_moving_data(service, operation, mutating, reconfigures):
    made = call(service, operation)
    assert (made.mutating, made.reconfigures) == (mutating, reconfigures)


def test_the_record_holds_the_jobs_calls_and_counts_the_rehearsals():
    record = CallRecord()
    record.add(call("rds", "ModifyDBCluster"))
    record.add(call("rds", "DescribeDBClusters", actor=REHEARSAL, number=0))
    record.add(call("rds", "DescribeDBClusters", number=2))
    assert [each.operation for each in record.of("rds")] == ["ModifyDBCluster", "DescribeDBClusters"]
    assert [each.operation for each in record.mutating()] == ["ModifyDBCluster"]
    assert (len(record), record.by_rehearsal, record.next_number()) == (2, 1, 3)
