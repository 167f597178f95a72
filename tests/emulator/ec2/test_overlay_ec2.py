"""Launch template versions, capacity reservations, and the quota of running instances."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount
from emulator.services.servicequotas.api import Quotas


@pytest.fixture
def ec2():
    start = datetime(2027, 3, 1, 8, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production="222222222222") as account:
        client = account.client("ec2", account.production, "us-east-1")
        client.create_launch_template(
            LaunchTemplateName="tap-fleet",
            VersionDescription="as designed",
            LaunchTemplateData={
                "ImageId": "ami-12345678",
                "InstanceType": "m5.4xlarge",
                "UserData": "IyEvYmluL3NoCg==",
                "MetadataOptions": {"HttpTokens": "required"},
            },
        )
        yield client


def create(ec2, **asked):
    defaults = {
        "LaunchTemplateName": "tap-fleet",
        "SourceVersion": "1",
        "LaunchTemplateData": {"InstanceType": "m5.2xlarge"},
        "VersionDescription": "plan abc",
    }
    return ec2.create_launch_template_version(**{k: v for k, v in (defaults | asked).items() if v is not None})[
        "LaunchTemplateVersion"
    ]


def test_a_version_inherits_what_is_not_given_anew(ec2):
    made = create(ec2)
    shown = ec2.describe_launch_template_versions(LaunchTemplateName="tap-fleet", Versions=["2"])
    assert shown["LaunchTemplateVersions"] == [made]
    assert made["VersionDescription"] == "plan abc"
    assert made["LaunchTemplateData"] == {
        "ImageId": "ami-12345678",
        "InstanceType": "m5.2xlarge",
        "UserData": "IyEvYmluL3NoCg==",
        "MetadataOptions": made["LaunchTemplateData"]["MetadataOptions"],
    }
    assert made["LaunchTemplateData"]["MetadataOptions"]["HttpTokens"] == "required"


def test_without_a_source_only_what_is_given_counts(ec2):
    assert create(ec2, SourceVersion=None)["LaunchTemplateData"] == {"InstanceType": "m5.2xlarge"}


def test_the_same_token_makes_one_version(ec2):
    assert create(ec2, ClientToken="t")["VersionNumber"] == create(ec2, ClientToken="t")["VersionNumber"] == 2
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        create(ec2, ClientToken="t", LaunchTemplateData={"InstanceType": "m5.large"})
    assert len(ec2.describe_launch_template_versions(LaunchTemplateName="tap-fleet")["LaunchTemplateVersions"]) == 2


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"SourceVersion": "9"}, "VersionNotFound"),
        ({"LaunchTemplateName": "absent"}, "NotFound"),
        ({"LaunchTemplateName": None}, "InvalidParameterCombination"),
    ],
)
def test_what_does_not_exist_is_refused(ec2, asked, code):
    with pytest.raises(ClientError, match=code):
        create(ec2, **asked)


def test_a_deleted_version_is_gone_and_its_number_does_not_come_again(ec2):
    create(ec2)
    answer = ec2.delete_launch_template_versions(LaunchTemplateName="tap-fleet", Versions=["2"])
    assert [each["VersionNumber"] for each in answer["SuccessfullyDeletedLaunchTemplateVersions"]] == [2]
    shown = ec2.describe_launch_template_versions(LaunchTemplateName="tap-fleet")["LaunchTemplateVersions"]
    assert [each["VersionNumber"] for each in shown] == [1]
    with pytest.raises(ClientError, match="VersionNotFound"):
        ec2.describe_launch_template_versions(LaunchTemplateName="tap-fleet", Versions=["2"])
    assert create(ec2)["VersionNumber"] == 3


@pytest.mark.parametrize(("version", "code"), [("1", "unexpectedError"), ("7", "launchTemplateVersionDoesNotExist")])
def test_a_version_that_cannot_be_deleted_is_told(ec2, version, code):
    answer = ec2.delete_launch_template_versions(LaunchTemplateName="tap-fleet", Versions=[version])
    (failed,) = answer["UnsuccessfullyDeletedLaunchTemplateVersions"]
    assert failed["ResponseError"]["Code"] == code
    assert not answer["SuccessfullyDeletedLaunchTemplateVersions"]


def test_a_reservation_takes_running_instances_in_and_outlives_them(ec2):
    zone = "us-east-1a"
    made = ec2.run_instances(
        ImageId="ami-12345678",
        InstanceType="m5.large",
        MinCount=2,
        MaxCount=2,
        Placement={"AvailabilityZone": zone},
    )["Instances"]
    asked = {"InstanceType": "m5.large", "InstancePlatform": "Linux/UNIX", "AvailabilityZone": zone}
    held = ec2.create_capacity_reservation(**asked, InstanceCount=3)["CapacityReservation"]
    assert (held["State"], held["TotalInstanceCount"], held["AvailableInstanceCount"]) == ("active", 3, 1)
    ec2.terminate_instances(InstanceIds=[each["InstanceId"] for each in made])
    (shown,) = ec2.describe_capacity_reservations(
        Filters=[{"Name": "state", "Values": ["active"]}, {"Name": "instance-type", "Values": ["m5.large"]}]
    )["CapacityReservations"]
    assert shown["AvailableInstanceCount"] == 3

    ec2.cancel_capacity_reservation(CapacityReservationId=held["CapacityReservationId"])
    (shown,) = ec2.describe_capacity_reservations()["CapacityReservations"]
    assert (shown["State"], shown["AvailableInstanceCount"]) == ("cancelled", 0)
    with pytest.raises(ClientError, match="NotFound"):
        ec2.cancel_capacity_reservation(CapacityReservationId=held["CapacityReservationId"])


def test_the_quota_in_force_and_awss_default():
    start = datetime(2027, 3, 1, 8, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production="222222222222") as account:
        quotas = account.client("service-quotas", account.production, "us-east-1")
        asked = {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A"}
        assert quotas.get_service_quota(**asked)["Quota"]["Value"] == 640.0
        assert quotas.get_aws_default_service_quota(**asked)["Quota"]["Value"] == 5.0
        with pytest.raises(NotImplementedError, match="not emulated"):
            quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-0")
        account.part(Quotas).standard_vcpus = None
        with pytest.raises(ClientError, match="NoSuchResourceException"):
            quotas.get_service_quota(**asked)
