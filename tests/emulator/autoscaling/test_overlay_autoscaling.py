"""Auto Scaling groups and instance refreshes, in simulated time."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount
from emulator.workload.workload import Sources

START = datetime(2027, 3, 1, 8, tzinfo=UTC)
REGION = "us-east-1"
NAME = "tap-fleet"


@pytest.fixture
def account():
    with EmulatedAccount(start=START, tooling="111111111111", production="222222222222") as account:
        yield account


@pytest.fixture
def ec2(account):
    return account.client("ec2", account.production, REGION)


@pytest.fixture
def fleet(account, ec2):
    """A group of 15 over three zones, in service."""
    client = account.client("autoscaling", account.production, REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
            "SubnetId"
        ]
        for n, zone in enumerate("abc")
    ]
    ec2.create_launch_template(
        LaunchTemplateName=NAME, LaunchTemplateData={"ImageId": "ami-12345678", "InstanceType": "m5.4xlarge"}
    )
    client.create_auto_scaling_group(
        AutoScalingGroupName=NAME,
        LaunchTemplate={"LaunchTemplateName": NAME, "Version": "1"},
        MinSize=12,
        DesiredCapacity=15,
        MaxSize=25,
        DefaultInstanceWarmup=300,
        VPCZoneIdentifier=",".join(subnets),
    )
    account.clock.sleep(600)
    return client


def group(client):
    return client.describe_auto_scaling_groups(AutoScalingGroupNames=[NAME])["AutoScalingGroups"][0]


def states(client):
    return Counter((each["InstanceType"], each["LifecycleState"]) for each in group(client)["Instances"])


def smaller(ec2):
    answer = ec2.create_launch_template_version(
        LaunchTemplateName=NAME, SourceVersion="1", LaunchTemplateData={"InstanceType": "m5.2xlarge"}
    )
    return str(answer["LaunchTemplateVersion"]["VersionNumber"])


def refresh(client, version, **preferences):
    return client.start_instance_refresh(
        AutoScalingGroupName=NAME,
        DesiredConfiguration={"LaunchTemplate": {"LaunchTemplateName": NAME, "Version": version}},
        Preferences={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 110, "SkipMatching": True} | preferences,
    )["InstanceRefreshId"]


def latest(client):
    return client.describe_instance_refreshes(AutoScalingGroupName=NAME)["InstanceRefreshes"][0]


def live(account, client, until, limit=timedelta(hours=10)):
    """Let time pass to the status; the fewest instances that were in service meanwhile."""
    end, fewest = account.clock.now() + limit, 99
    while latest(client)["Status"] != until:
        assert account.clock.now() < end, latest(client)
        account.clock.sleep(60)
        fewest = min(fewest, sum(n for (_, state), n in states(client).items() if state == "InService"))
    return fewest


def test_instances_come_into_service_with_time_and_over_all_zones(account, fleet):
    assert Counter(each["AvailabilityZone"][-1] for each in group(fleet)["Instances"]) == {"a": 5, "b": 5, "c": 5}
    assert group(fleet)["DefaultInstanceWarmup"] == 300
    fleet.update_auto_scaling_group(AutoScalingGroupName=NAME, DesiredCapacity=18)
    assert states(fleet) == {("m5.4xlarge", "InService"): 15, ("m5.4xlarge", "Pending"): 3}
    account.clock.sleep(120)
    assert states(fleet) == {("m5.4xlarge", "InService"): 18}


def test_instances_leave_after_the_drain(account, fleet, ec2):
    fleet.update_auto_scaling_group(AutoScalingGroupName=NAME, DesiredCapacity=12)
    assert states(fleet)["m5.4xlarge", "Terminating"] == 3
    account.clock.sleep(301)
    assert states(fleet) == {("m5.4xlarge", "InService"): 12}
    assert Counter(each["AvailabilityZone"] for each in group(fleet)["Instances"]).most_common()[-1][1] == 4
    running = ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])
    assert sum(len(each["Instances"]) for each in running["Reservations"]) == 12


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"DesiredCapacity": 26}, "Desired capacity:26"),
        ({"MinSize": 9, "MaxSize": 8}, "Min bound, 9"),
        ({"DesiredCapacity": 11}, "min size:12"),
    ],
)
def test_capacities_out_of_order_are_refused_and_change_nothing(fleet, asked, message):
    with pytest.raises(ClientError, match=message):
        fleet.update_auto_scaling_group(AutoScalingGroupName=NAME, **asked)
    assert (group(fleet)["MinSize"], group(fleet)["DesiredCapacity"], group(fleet)["MaxSize"]) == (12, 15, 25)


def test_a_lower_maximum_takes_the_desired_capacity_along(fleet):
    fleet.update_auto_scaling_group(AutoScalingGroupName=NAME, MinSize=8, MaxSize=10)
    assert group(fleet)["DesiredCapacity"] == 10


def test_a_suspended_group_stands_still(account, fleet):
    fleet.suspend_processes(AutoScalingGroupName=NAME, ScalingProcesses=["Terminate"])
    fleet.update_auto_scaling_group(AutoScalingGroupName=NAME, DesiredCapacity=12)
    account.clock.sleep(600)
    assert states(fleet) == {("m5.4xlarge", "InService"): 15}


def test_a_refresh_replaces_every_instance_and_keeps_the_count_in_service(account, fleet, ec2):
    version = smaller(ec2)
    refresh(fleet, version)
    assert latest(fleet)["Status"] == "Pending"
    assert live(account, fleet, "Successful") == 15
    assert states(fleet) == {("m5.2xlarge", "InService"): 15}
    assert {each["LaunchTemplate"]["Version"] for each in group(fleet)["Instances"]} == {version}
    assert account.clock.now() - START > timedelta(hours=1)  # 15 batches of launch and warm-up


def test_the_groups_template_changes_on_success_only(account, fleet, ec2):
    refresh(fleet, smaller(ec2))
    account.clock.sleep(1800)
    assert 0 < latest(fleet)["PercentageComplete"] < 100
    assert group(fleet)["LaunchTemplate"]["Version"] == "1"
    live(account, fleet, "Successful")
    assert group(fleet)["LaunchTemplate"]["Version"] == "2"


def test_a_default_refresh_exchanges_below_the_count(account, fleet, ec2):
    smaller(ec2)
    fleet.start_instance_refresh(
        AutoScalingGroupName=NAME,
        DesiredConfiguration={"LaunchTemplate": {"LaunchTemplateName": NAME, "Version": "2"}},
    )
    assert live(account, fleet, "Successful") == 14  # 90 % of 15, rounded up


def test_one_refresh_at_a_time_and_no_other_template_meanwhile(fleet, ec2):
    refresh(fleet, smaller(ec2))
    with pytest.raises(fleet.exceptions.InstanceRefreshInProgressFault):
        refresh(fleet, "2")
    with pytest.raises(ClientError, match="active instance refresh"):
        fleet.update_auto_scaling_group(
            AutoScalingGroupName=NAME, LaunchTemplate={"LaunchTemplateName": NAME, "Version": "2"}
        )


def test_a_rollback_restores_the_type_and_not_the_capacity(account, fleet, ec2):
    refresh(fleet, smaller(ec2))
    account.clock.sleep(3600)
    fleet.update_auto_scaling_group(AutoScalingGroupName=NAME, DesiredCapacity=13)
    fleet.rollback_instance_refresh(AutoScalingGroupName=NAME)
    live(account, fleet, "RollbackSuccessful")
    account.clock.sleep(600)
    assert states(fleet) == {("m5.4xlarge", "InService"): 13}
    with pytest.raises(fleet.exceptions.ActiveInstanceRefreshNotFoundFault):
        fleet.rollback_instance_refresh(AutoScalingGroupName=NAME)


def test_a_bake_keeps_the_refresh_open_for_a_rollback(account, fleet, ec2):
    refresh(fleet, smaller(ec2), BakeTime=172_800)
    live(account, fleet, "Baking")
    account.clock.sleep(86_400)
    assert latest(fleet)["Status"] == "Baking"
    fleet.rollback_instance_refresh(AutoScalingGroupName=NAME)
    live(account, fleet, "RollbackSuccessful")
    assert states(fleet) == {("m5.4xlarge", "InService"): 15}


def test_an_alarm_rolls_back_by_itself(account, fleet, ec2):
    alarm(account)
    refresh(fleet, smaller(ec2), AutoRollback=True, AlarmSpecification={"Alarms": ["lag"]})
    account.clock.sleep(3600)
    assert latest(fleet)["Status"] == "InProgress"  # the alarm has no data yet, and that stops nothing
    ring(account)
    live(account, fleet, "RollbackSuccessful")
    assert "lag" in latest(fleet)["RollbackDetails"]["RollbackReason"]
    assert states(fleet) == {("m5.4xlarge", "InService"): 15}


def test_without_auto_rollback_an_alarm_fails_the_refresh(account, fleet, ec2):
    alarm(account)
    refresh(fleet, smaller(ec2), AlarmSpecification={"Alarms": ["lag"]})
    account.clock.sleep(3600)
    ring(account)
    live(account, fleet, "Failed")
    assert {kind for kind, _ in states(fleet)} == {"m5.4xlarge", "m5.2xlarge"}


def test_a_checkpoint_holds_the_refresh_and_an_alarm_ends_the_wait(account, fleet, ec2):
    alarm(account)
    checkpoint = {"CheckpointPercentages": [20, 100], "CheckpointDelay": 7200}
    refresh(fleet, smaller(ec2), AutoRollback=True, AlarmSpecification={"Alarms": ["lag"]}, **checkpoint)
    account.clock.sleep(3600)
    assert latest(fleet)["PercentageComplete"] == 20
    account.clock.sleep(1800)
    assert latest(fleet)["PercentageComplete"] == 20
    ring(account)
    account.clock.sleep(900)
    assert latest(fleet)["Status"] == "RollbackInProgress"


def alarm(account):
    account.client("cloudwatch", account.production, REGION).put_metric_alarm(
        AlarmName="lag",
        Namespace="tap",
        MetricName="lag",
        Statistic="Maximum",
        Period=300,
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanThreshold",
        Threshold=1.0,
    )


def ring(account):
    account.client("cloudwatch", account.production, REGION).put_metric_data(
        Namespace="tap", MetricData=[{"MetricName": "lag", "Value": 2.0}]
    )


def test_a_cancelled_refresh_keeps_what_it_replaced(account, fleet, ec2):
    refresh(fleet, smaller(ec2))
    account.clock.sleep(1800)
    fleet.cancel_instance_refresh(AutoScalingGroupName=NAME)
    live(account, fleet, "Cancelled")
    account.clock.sleep(3600)
    assert {kind for kind, _ in states(fleet)} == {"m5.4xlarge", "m5.2xlarge"}
    assert group(fleet)["LaunchTemplate"]["Version"] == "1"


def test_protected_instances_fail_the_refresh_after_an_hour(account, fleet, ec2):
    protected = group(fleet)["Instances"][0]["InstanceId"]
    fleet.set_instance_protection(AutoScalingGroupName=NAME, InstanceIds=[protected], ProtectedFromScaleIn=True)
    refresh(fleet, smaller(ec2))
    live(account, fleet, "Failed", limit=timedelta(hours=2))


@pytest.mark.parametrize(
    ("preferences", "message"),
    [
        ({"MinHealthyPercentage": 0, "MaxHealthyPercentage": 110}, "differ by 100"),
        ({"CheckpointDelay": 60}, "CheckpointPercentages"),
        ({"AlarmSpecification": {"Alarms": [str(n) for n in range(11)]}}, "10 alarms"),
    ],
)
def test_preferences_that_do_not_fit_are_refused(fleet, ec2, preferences, message):
    with pytest.raises(ClientError, match=message):
        refresh(fleet, smaller(ec2), **preferences)


@pytest.mark.parametrize("version", ["7", "none"])
def test_a_refresh_to_a_version_that_does_not_exist_is_refused(fleet, version):
    with pytest.raises(ClientError, match="Could not find launch template version"):
        refresh(fleet, version)


def test_without_capacity_a_launch_is_tried_until_there_is(account, fleet, ec2):
    """Nothing is taken out of service for an instance that does not come."""

    class Shortage:
        until = account.clock.now() + timedelta(hours=3)

        def lacks(self, kind, now):
            return kind == "m5.2xlarge" and now < self.until

    account.part(Sources).workload = Shortage()
    refresh(fleet, smaller(ec2))
    fleet.set_desired_capacity(AutoScalingGroupName=NAME, DesiredCapacity=16)
    account.clock.sleep(2 * 3600)
    assert states(fleet) == {("m5.4xlarge", "InService"): 15}
    assert latest(fleet)["Status"] == "InProgress"
    live(account, fleet, "Successful")
    assert states(fleet)[("m5.2xlarge", "InService")] == 16


def test_latest_cannot_be_rolled_back(fleet, ec2):
    smaller(ec2)
    refresh(fleet, "$Latest")
    with pytest.raises(ClientError, match="IrreversibleInstanceRefresh"):
        fleet.rollback_instance_refresh(AutoScalingGroupName=NAME)
