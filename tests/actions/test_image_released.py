"""An image with a security patch, released by the documented command while the compute phase is observed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from domain.errors import Unhealthy
from optimizer.actions import fleet_rightsize
from optimizer.execute.records import PhaseState
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from tests.actions.foundation import Foundation, loaded
from tests.actions.test_varied import FLEET, deploy_image, release

pytestmark = pytest.mark.slow
PATCHED = "ami-0fedcba9876543210"


@pytest.fixture(scope="module")
def foundation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foundation]:
    with loaded(tmp_path_factory.mktemp("image")) as found:
        yield found


def window_start(foundation: Foundation, plan: Plan) -> object:
    return foundation.life.journal.phase(plan, Phase.COMPUTE).window_start


def watched(foundation: Foundation) -> None:
    foundation.account.clock.sleep(3600)
    foundation.life.watch()


def test_it_is_recorded_the_window_begins_anew_and_the_phase_is_accepted(foundation: Foundation) -> None:
    plan = foundation.approved(fleet_rightsize.ACTION)
    foundation.life.apply(plan, Phase.COMPUTE)
    foundation.account.clock.sleep(timedelta(hours=20).total_seconds())
    deploy_image(foundation.somebody, PATCHED)
    watched(foundation)
    deployed = window_start(foundation, plan)
    release(foundation.somebody)
    watched(foundation)
    released = window_start(foundation, plan)
    assert deployed != released, "what runs is another image only since then"
    told = [each.text for each in foundation.life.journal.history().events if "past the pipeline" in each.text]
    assert len(told) == 2
    assert f'image "{PATCHED}"' in told[0]
    assert f'running ["{PATCHED}"]' in told[1]
    foundation.account.clock.sleep(timedelta(hours=40).total_seconds())
    with pytest.raises(Unhealthy, match="is observed until"):
        foundation.life.accept(Phase.COMPUTE)
    foundation.account.clock.sleep(timedelta(hours=8).total_seconds())
    assert foundation.life.accept(Phase.COMPUTE).state is PhaseState.ACCEPTED
    (group,) = foundation.aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[FLEET])[
        "AutoScalingGroups"
    ]
    assert {each["InstanceType"] for each in group["Instances"]} == {"m5.2xlarge"}
