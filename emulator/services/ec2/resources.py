"""VPCs, subnets and security groups of the governed resources. Rules and routes are left out."""

from __future__ import annotations

from collections.abc import Mapping

from emulator.core.resource_type import Created, Declared, ResourceType, Site, request


def tagged(resource: Declared, kind: str) -> list[dict[str, object]]:
    """Tags in the form of EC2's TagSpecifications."""
    return [{"ResourceType": kind, "Tags": resource.tag_list}] if resource.tags else []


def create_vpc(site: Site, resource: Declared) -> Created:
    ec2 = site.client("ec2")
    parameters = request(ec2, "CreateVpc", resource.without("Tags"), TagSpecifications=tagged(resource, "vpc"))
    vpc = ec2.create_vpc(**parameters)["Vpc"]
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["SecurityGroups"]
    attributes = {
        "VpcId": vpc["VpcId"],
        "CidrBlock": vpc["CidrBlock"],
        "DefaultSecurityGroup": groups[0]["GroupId"],
    }
    return Created(vpc["VpcId"], attributes)


def create_subnet(site: Site, resource: Declared) -> Created:
    ec2 = site.client("ec2")
    parameters = request(ec2, "CreateSubnet", resource.without("Tags"), TagSpecifications=tagged(resource, "subnet"))
    subnet = ec2.create_subnet(**parameters)["Subnet"]
    shown = ("SubnetId", "AvailabilityZone", "VpcId", "CidrBlock")
    return Created(subnet["SubnetId"], {name: subnet[name] for name in shown})


def create_security_group(site: Site, resource: Declared) -> Created:
    ec2 = site.client("ec2")
    made = ec2.create_security_group(
        GroupName=resource.get("GroupName") or resource.generated_name(255),
        Description=resource["GroupDescription"],
        VpcId=resource["VpcId"],
        TagSpecifications=tagged(resource, "security-group"),
    )
    return Created(made["GroupId"], {"GroupId": made["GroupId"], "Id": made["GroupId"], "VpcId": resource["VpcId"]})


def delete_security_group(site: Site, name: str) -> None:
    site.client("ec2").delete_security_group(GroupId=name)


TYPES: Mapping[str, ResourceType] = {
    "AWS::EC2::VPC": ResourceType(create_vpc),
    "AWS::EC2::Subnet": ResourceType(create_subnet),
    "AWS::EC2::SecurityGroup": ResourceType(create_security_group, delete=delete_security_group),
}
