"""An answer that AWS could not give is a fault of the overlay."""

from datetime import UTC, datetime

import botocore.session
import pytest

from emulator.core.response_shapes import ImpossibleAnswer, check

NOW = datetime(2027, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def shape():
    def of(service, operation):
        return botocore.session.Session().get_service_model(service).operation_model(operation).output_shape

    return of


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {
            "InstanceRefreshes": [
                {"InstanceRefreshId": "1", "Status": "Baking", "StartTime": NOW, "PercentageComplete": 9}
            ]
        },
        {"InstanceRefreshes": [{"StatusReason": None}]},
    ],
)
def test_what_aws_could_say_passes(shape, answer):
    check("x", shape("autoscaling", "DescribeInstanceRefreshes"), answer)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"Refreshes": []}, ".Refreshes: not a member"),
        ({"InstanceRefreshes": {}}, "not a list"),
        ({"InstanceRefreshes": ["x"]}, r"\[0\]: str, not a structure"),
        ({"InstanceRefreshes": [{"Status": "Done"}]}, "'Done' is none of"),
        ({"InstanceRefreshes": [{"StartTime": "today"}]}, "str, not a timestamp"),
        ({"InstanceRefreshes": [{"PercentageComplete": True}]}, "bool, not a integer"),
        ({"InstanceRefreshes": [{"PercentageComplete": 1.5}]}, "float, not a integer"),
    ],
)
def test_what_it_could_not_say_is_named(shape, answer, message):
    with pytest.raises(ImpossibleAnswer, match=message):
        check("x", shape("autoscaling", "DescribeInstanceRefreshes"), answer)


def test_long_lists_of_scalars_are_checked_by_their_types(shape):
    result = {"Id": "a", "Timestamps": [NOW, 5], "Values": [1.0, "2"]}
    with pytest.raises(ImpossibleAnswer, match=r"Timestamps\[\]: int, not a timestamp.*Values\[\]: str, not a double"):
        check("x", shape("cloudwatch", "GetMetricData"), {"MetricDataResults": [result]})


def test_a_required_member_must_be_there(shape):
    stage = {"latestExecution": {"status": "InProgress"}}
    with pytest.raises(ImpossibleAnswer, match="pipelineExecutionId: required"):
        check("x", shape("codepipeline", "GetPipelineState"), {"stageStates": [stage]})


def test_an_operation_without_an_answer_has_none(shape):
    assert shape("rds", "AddTagsToResource") is None
    check("x", None, {})
    with pytest.raises(ImpossibleAnswer):
        check("x", None, {"Something": 1})
