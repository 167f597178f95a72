"""A survey of the foundation's own account decides as its analysis does, and claims the same savings."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest

from optimizer.actions import registry
from optimizer.analyze.analysis import analyze
from optimizer.decide.policy import Policy
from optimizer.model.plan import Plan
from optimizer.model.resource import GOVERNED
from optimizer.ports.aws import Aws
from optimizer.survey.read_only import read_only
from optimizer.survey.survey import Request, Survey, survey
from tests.actions.foundation import JOB, Foundation, loaded

pytestmark = pytest.mark.xdist_group("pipeline")


@pytest.fixture(scope="module")
def foundation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foundation]:
    with loaded(tmp_path_factory.mktemp("foundation")) as foundation:
        yield foundation


@pytest.fixture(scope="module")
def found(foundation: Foundation) -> Survey:
    account, region = foundation.account, foundation.aws.region
    session = account.botocore_session(account.credentials.of_user(account.production), region)
    asked = read_only(session)
    with account.acting(JOB):
        aws = Aws(boto3.Session(botocore_session=session), account.production, region, account.clock)
        regions = (region, *foundation.settings.secondary_regions)
        return survey(aws, Request(regions, GOVERNED), asked, lambda line: None)


@pytest.fixture(scope="module")
def analyzed(foundation: Foundation) -> Plan:
    with foundation.account.acting(JOB):
        record = foundation.life.journal.sizing()
        return analyze(foundation.aws, foundation.settings, registry(), Policy(), record).plan


def test_the_same_is_decided(found: Survey, analyzed: Plan) -> None:
    surveyed = {each.key: (each.choice, each.target) for each in found.plan.decisions}
    differing = {
        each.key: (each.choice, surveyed.get(each.key))
        for each in analyzed.decisions
        if surveyed.get(each.key, (None,))[0] is not each.choice
    }
    assert differing == {}
    right_sized = {each.key: each.target for each in analyzed.decisions if "rightsize" in each.action}
    assert {key: surveyed[key][1] for key in right_sized} == right_sized


def test_instances_save_the_same_and_nothing_saves_more(found: Survey, analyzed: Plan) -> None:
    """A survey does not know an instance's included items or a secondary's storage, so it claims less."""
    assert found.plan.costs is not None
    assert analyzed.costs is not None
    surveyed = {(each.action, each.resource): each.monthly for each in found.plan.costs.savings}
    expected = {(each.action, each.resource): each.monthly for each in analyzed.costs.savings}
    same = [key for key in expected if key[0] in ("redis_rightsize", "aurora_writer", "aurora_readers")]
    assert {key: surveyed[key] for key in same} == {key: expected[key] for key in same}
    assert all(surveyed[key] <= expected[key] for key in expected)


def test_what_the_pipeline_would_carry_out_has_no_limit(found: Survey) -> None:
    limited = {each.name for each in found.limits}
    assert not limited & {"tap-fleet", "tap-cache", "tenants", "users"}
