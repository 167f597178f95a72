"""What the act role was seen to call against what it may, both ways, over rehearsals that do and undo each phase.

The account does not evaluate IAM; it records who called what. `calls.json` of a rehearsal holds that as
IAM actions, by one table (`optimizer/rehearsal/iam_actions.py`). That no scenario calls anything that is
not permitted is asked of every one of them in test_rehearse.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from optimizer.actions import registry
from optimizer.rehearsal.iam_actions import OTHERWISE, PREFIXES, iam_actions
from optimizer.rehearsal.rehearse import rehearse
from optimizer.rehearsal.scenario import load_scenario
from optimizer.rehearsal.setting import Request
from pipeline import roles
from tests.pipeline.production_roles import permitted

pytestmark = pytest.mark.xdist_group("pipeline")  # one synthesis for all of them

# Together they apply, accept and undo what every action does.
DO_AND_UNDO = ("quiet", "errors", "rejected-gate", "regression", "slow-failover")

WAY_BACK = "FleetPolicy.reserve_way_back, which is off by default"
# Permitted, and called in none of these: what would have to be there first.
UNSEEN = {
    "autoscaling:RollbackInstanceRefresh": "a rollback while the refresh is under way; the contract's tests do that",
    "ec2:CancelCapacityReservation": WAY_BACK,
    "ec2:CreateCapacityReservation": WAY_BACK,
    "ec2:DescribeCapacityReservations": WAY_BACK,
    "dynamodb:DeleteItem": "a removal in a transaction, which is recorded by its puts; no call of its own",
    "dynamodb:TagResource": "CreateTable with tags is authorized by it too; no call of its own",
    "dynamodb:UpdateTimeToLive": "consolidated tables with a time to live: the foundation's have none",
    "ec2:RevokeSecurityGroupIngress": "a secondary whose security group lets somebody in: the foundation's let nobody",
    "servicequotas:GetAWSDefaultServiceQuota": "a quota that has no applied value: the emulated account's has one",
    "osis:GetPipeline": "an OpenSearch Ingestion pipeline in the account: the foundation has none",
}


def dependent() -> dict[str, str]:
    """What AWS checks on the caller without a call of ours, with the page that says so."""
    return {each.action: each.source for action in registry() for each in action.permissions if each.dependent}


def test_the_exceptions_are_permitted_and_have_a_reason() -> None:
    may = permitted()["Allow", roles.ACT]
    assert UNSEEN.keys() <= may
    assert not UNSEEN.keys() & dependent().keys()
    assert all(source.startswith("https://docs.aws.amazon.com/") for source in dependent().values())


def test_the_table_names_its_sources() -> None:
    sources = [source for _, source in (*PREFIXES.values(), *OTHERWISE.values())]
    assert all(source.startswith("https://docs.aws.amazon.com/service-authorization/") for source in sources)
    assert iam_actions("elbv2", "DescribeTags") == ("elasticloadbalancing:DescribeTags",)
    assert iam_actions("rds", "DescribeDBClusters") == ("rds:DescribeDBClusters",)


@pytest.mark.slow
def test_the_act_role_may_what_is_called_and_nothing_is_permitted_that_never_is(tmp_path: Path) -> None:
    used: set[str] = set()
    for scenario in DO_AND_UNDO:
        assert rehearse(Request(tmp_path / scenario, load_scenario(scenario))) == 0, scenario
        used |= json.loads((tmp_path / scenario / "calls.json").read_text())[roles.ACT].keys()
    may = permitted()["Allow", roles.ACT]
    assert sorted(used - may) == [], "called without a permission"
    assert sorted(may - used - dependent().keys() - UNSEEN.keys()) == [], "permitted and never used"
    assert sorted(used & UNSEEN.keys()) == [], "seen after all: no exception any more"
