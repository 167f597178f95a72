"""Changes by AWS itself are not manual changes: they are judged again, and an undo restores the new value."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from domain.errors import PlanChanged
from domain.sizing import Sizing
from emulator.account import EmulatedAccount
from optimizer.actions.fleet_rightsize import ACTION
from optimizer.decide.policy import Policy
from optimizer.execute.engine import Engine
from optimizer.model.decision import Decision
from optimizer.model.phase import Phase
from optimizer.model.resource import Governed
from optimizer.observe.metrics import Query
from optimizer.ports.aws import Aws
from tests.actions.made_measurements import Made

FLEET = "tap-fleet"
QUIET = {"NetworkIn": 1e9, "NetworkOut": 1e9, "EBSReadBytes": 1e8, "EBSWriteBytes": 1e8, "EBSReadOps": 1e4} | {
    "EBSWriteOps": 1e4
}


@dataclass
class KeptBefore:
    """A pen that remembers the before-state alone."""

    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def journal(self) -> SimpleNamespace:
        return SimpleNamespace(before=lambda *_: self.kept or None)

    def keep_before(
        self, _plan: object, _phase: Phase, _action: str, _resource: str, before: Mapping[str, Any]
    ) -> None:
        self.kept.update(before)


def measured(aws: Aws, cpu: float) -> Made:
    def value(query: Query, statistic: str, _ago: float) -> float | None:
        if query.name == "CPUUtilization":
            return 75.0 if statistic == "SampleCount" else cpu
        return QUIET.get(query.name)

    return Made(aws.clock.now(), value)


def planned(aws: Aws, fleet: Governed) -> Decision:
    decision = ACTION.decide(ACTION.collect(aws, fleet, measured(aws, 4.0)), Policy())
    return replace(decision, before=json.loads(json.dumps(decision.before)))


def engine(aws: Aws) -> Engine:
    return Engine(aws, (aws.region,), Policy(), {ACTION.id: ACTION}, print, None, None)  # type: ignore[arg-type]


def scale(aws: Aws, **sizes: int) -> None:
    aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName=FLEET, **sizes)
    aws.clock.sleep(3600)


def test_target_tracking_added_one_between_plan_and_phase(aws: Aws, fleet: Governed) -> None:
    decision = planned(aws, fleet)
    scale(aws, DesiredCapacity=16)
    assert engine(aws).still_wanted(decision, fleet, measured(aws, 4.0)) is None


def test_it_is_judged_at_the_capacity_of_today(aws: Aws, fleet: Governed) -> None:
    decision = planned(aws, fleet)
    scale(aws, DesiredCapacity=24)
    assert "p95 CPU after" in (engine(aws).still_wanted(decision, fleet, measured(aws, 9.0)) or "")


@pytest.mark.parametrize("change", [lambda aws: scale(aws, MaxSize=30), lambda aws: scale(aws, MinSize=14)])
def test_what_only_a_hand_changes_is_refused(
    aws: Aws,
    fleet: Governed,
    change: Callable[[Aws], None],
) -> None:
    decision = planned(aws, fleet)
    change(aws)
    with pytest.raises(PlanChanged):
        engine(aws).still_wanted(decision, fleet, measured(aws, 4.0))


def test_the_way_back_leads_to_the_capacity_of_its_beginning(
    account: EmulatedAccount,
    aws: Aws,
    fleet: Governed,
) -> None:
    decision = planned(aws, fleet)
    scale(aws, DesiredCapacity=16)
    pen: Any = KeptBefore()
    begun = engine(aws)
    begun = replace(begun, switch=SimpleNamespace(allow_change=None))  # type: ignore[arg-type]
    change = begun.change(None, Phase.COMPUTE, decision, fleet, pen)  # type: ignore[arg-type]
    assert change.before["desired"] == pen.kept["desired"] == 16
    assert change.before == {**decision.before, "desired": 16}
    scale(aws, DesiredCapacity=17)
    again = begun.change(None, Phase.COMPUTE, decision, fleet, pen)  # type: ignore[arg-type]
    assert again.before["desired"] == 16


@pytest.mark.parametrize(("there", "starts"), [(9, 9), (8, 8), (15, 15)])
def test_the_sizing_takes_over_the_capacity_that_is_there(aws: Aws, fleet: Governed, there: int, starts: int) -> None:
    decision = replace(planned(aws, fleet), target=Policy().fleet.target.model_dump(mode="json"))
    scale(aws, MinSize=6, MaxSize=15, DesiredCapacity=there)
    sizing = engine(aws).followed(ACTION.resize(Sizing.AS_DESIGNED, decision), [decision])
    assert sizing.fleet == Policy().fleet.target.model_copy(update={"desired": starts})
    beyond = sizing.model_copy(update={"fleet": sizing.fleet.model_copy(update={"maximum": 8, "desired": 8})})
    assert engine(aws).followed(beyond, [decision]).fleet.desired == 8, "never beyond its own bounds"


def deploy_image(aws: Aws, image: str) -> None:
    """Like the pipeline: a new version of the template, named in the group; running instances stay."""
    (group,) = aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[FLEET])["AutoScalingGroups"]
    source = group["LaunchTemplate"]["Version"]
    version = aws.ec2.create_launch_template_version(
        LaunchTemplateName=FLEET, SourceVersion=source, LaunchTemplateData={"ImageId": image}
    )["LaunchTemplateVersion"]["VersionNumber"]
    aws.autoscaling.update_auto_scaling_group(
        AutoScalingGroupName=FLEET, LaunchTemplate={"LaunchTemplateName": FLEET, "Version": str(version)}
    )


def release(aws: Aws) -> None:
    """As docs/image.md says it."""
    aws.autoscaling.start_instance_refresh(
        AutoScalingGroupName=FLEET,
        Preferences={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 110, "InstanceWarmup": 300},
    )
    aws.clock.sleep(4 * 3600)


def test_an_image_is_released_between_plan_and_phase_and_the_way_back_leads_to_it(aws: Aws, fleet: Governed) -> None:
    decision = planned(aws, fleet)
    deploy_image(aws, "ami-0fedcba9876543210")
    assert "release it first" in (engine(aws).still_wanted(decision, fleet, measured(aws, 4.0)) or ""), "it waits"
    release(aws)
    assert engine(aws).still_wanted(decision, fleet, measured(aws, 4.0)) is None
    pen: Any = KeptBefore()
    begun = replace(engine(aws), switch=SimpleNamespace(allow_change=None))  # type: ignore[arg-type]
    begun.change(None, Phase.COMPUTE, decision, fleet, pen)  # type: ignore[arg-type]
    assert (pen.kept["version"], pen.kept["image"]) == ("2", "ami-0fedcba9876543210")


def test_a_type_that_somebody_changes_with_the_image_is_refused(aws: Aws, fleet: Governed) -> None:
    decision = planned(aws, fleet)
    aws.ec2.create_launch_template_version(
        LaunchTemplateName=FLEET, SourceVersion="1", LaunchTemplateData={"InstanceType": "m5.8xlarge"}
    )
    version: Any = {"LaunchTemplateName": FLEET, "Version": "2"}
    aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName=FLEET, LaunchTemplate=version)
    with pytest.raises(PlanChanged, match="instance_type"):
        engine(aws).still_wanted(decision, fleet, measured(aws, 4.0))
