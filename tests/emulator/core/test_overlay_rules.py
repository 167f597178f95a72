"""The rule table: every emulated operation is one that AWS has, with a rule and the page that says so."""

from dataclasses import replace
from datetime import date

import botocore.session
import pytest

from emulator.core.registry import emulates, operations, rule_table


def test_every_operation_exists_at_aws():
    session = botocore.session.Session()
    for service, operation in operations():
        assert operation in session.get_service_model(service).operation_names, f"{service}:{operation}"


@pytest.mark.parametrize("each", operations().values(), ids=lambda each: f"{each.service}:{each.operation}")
def test_every_rule_says_something_and_where_it_is_from(each):
    assert len(each.rule) > 20
    assert "|" not in each.rule + each.source
    assert each.source.startswith("https://docs.aws.amazon.com/")


def test_a_rule_says_whether_it_was_seen_on_aws():
    known = operations()["autoscaling", "StartInstanceRefresh"]
    assert known.known_from == "documented only"
    assert replace(known, seen=date(2027, 5, 1)).known_from == "seen on AWS, 2027-05-01"


def test_the_table_holds_them_all():
    table = rule_table()
    assert table.count("\n") == len(operations()) + 2
    assert "| autoscaling | StartInstanceRefresh | One refresh at a time;" in table


def test_an_operation_has_one_answer():
    with pytest.raises(TypeError, match="emulated twice"):
        emulates("sts", "AssumeRole", rule="another", source="https://docs.aws.amazon.com/")(lambda account, call: {})
