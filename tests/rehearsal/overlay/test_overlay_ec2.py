"""Launch template versions: inheritance and idempotency."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from optimizer.rehearsal.account import EmulatedAccount


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
