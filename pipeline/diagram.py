"""Diagram of the deployed resources by account and Region, drawn from a cloud assembly into docs/foundation.md.

`python -m pipeline.diagram cdk.out` replaces the part of the document between its marks; a test
fails when the document and the templates no longer agree.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from cloudformation.assembly import Assembly, Stack, read_assembly

DOCUMENT = Path(__file__).parents[1] / "docs" / "foundation.md"
BEGIN, END = "<!-- drawn from the templates: python -m pipeline.diagram cdk.out -->", "<!-- end of the drawing -->"

Properties = Mapping[str, Any]


def _names(resources: Sequence[Properties], key: str) -> str:
    """The resources' own names; resources that CDK adds without a name are left out."""
    return ", ".join(str(each[key]) for each in resources if key in each)


def _capacity(resources: Sequence[Properties]) -> str:
    (group,) = resources
    return f"{group['DesiredCapacity']} instances, {group['MinSize']} to {group['MaxSize']}"


def _shards(resources: Sequence[Properties]) -> str:
    (group,) = resources
    return f"{group['CacheNodeType']}, {group['NumNodeGroups']} shards, {group['ReplicasPerNodeGroup']} replicas each"


def _instances(resources: Sequence[Properties]) -> str:
    return "<br/>".join(f"{each['DBInstanceIdentifier']} {each['DBInstanceClass']}" for each in resources)


def _tables(resources: Sequence[Properties]) -> str:
    return "<br/>".join(
        f"{each['TableName']}, {len(each.get('GlobalSecondaryIndexes', ()))} indexes"
        + (f", in {len(each['Replicas'])} Regions" if len(each["Replicas"]) > 1 else "")
        for each in resources
    )


def _assumed(resources: Sequence[Properties]) -> str:
    """The roles that another account's jobs assume."""
    trusted = [
        each for each in resources if "AWS" in each["AssumeRolePolicyDocument"]["Statement"][0].get("Principal", {})
    ]
    return _names(trusted, "RoleName")


# The drawn parts of a stack, in order: resource type, title, and the text after the title.
DRAWN: tuple[tuple[str, str, Callable[[Sequence[Properties]], str]], ...] = (
    ("AWS::CodePipeline::Pipeline", "Pipeline", lambda found: _names(found, "Name")),
    ("AWS::CodeBuild::Project", "Jobs", lambda found: f"{len(found)} projects"),
    ("AWS::IAM::Role", "Roles of the jobs", _assumed),
    ("AWS::IAM::ManagedPolicy", "Managed policies", lambda found: _names(found, "ManagedPolicyName")),
    ("AWS::KMS::Key", "Keys", lambda found: str(len(found))),
    ("AWS::KMS::ReplicaKey", "Replica of the tables' key", lambda found: str(len(found))),
    ("AWS::EC2::Subnet", "Subnets", lambda found: f"{len({each['AvailabilityZone'] for each in found})} zones"),
    ("AWS::EC2::NatGateway", "NAT gateways", lambda found: str(len(found))),
    ("AWS::Synthetics::Canary", "Canary", lambda found: _names(found, "Name")),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "Load balancer", lambda found: _names(found, "Name")),
    ("AWS::AutoScaling::AutoScalingGroup", "Fleet", _capacity),
    ("AWS::DynamoDB::GlobalTable", "Tables", _tables),
    ("AWS::ElastiCache::ReplicationGroup", "Redis", _shards),
    ("AWS::RDS::GlobalCluster", "Global database", lambda found: _names(found, "GlobalClusterIdentifier")),
    ("AWS::RDS::DBCluster", "Aurora", lambda found: _names(found, "DBClusterIdentifier")),
    ("AWS::RDS::DBInstance", "Instances", _instances),
    ("AWS::CloudWatch::Alarm", "Alarms", lambda found: str(len(found))),
)
# Connections between drawn parts; also across stacks, if the second part is in another stack.
REACHES = (
    ("Canary", "Load balancer", "asks every minute"),
    ("Load balancer", "Fleet", "api, auth, admin, default"),
    ("Fleet", "Tables", ""),
    ("Fleet", "Redis", ""),
    ("Fleet", "Aurora", ""),
    ("Global database", "Aurora", "replicates"),
)


def drawing(assembly: Assembly) -> str:
    """The diagram, as Markdown with Mermaid."""
    return "\n".join(["```mermaid", "flowchart LR", *_places(assembly), *_arrows(assembly), "```"])


def _places(assembly: Assembly) -> Iterator[str]:
    def place(stack: Stack) -> tuple[str, str]:
        return stack.account, stack.region

    for (account, region), stacks in groupby(sorted(assembly.stacks, key=place), key=place):
        yield f'  subgraph "{account} · {region}"'
        for stack in stacks:
            yield f'    subgraph {_id(stack, "")}["{stack.name}"]'
            for title, said in _parts(stack).items():
                yield f'      {_id(stack, title)}["{title}<br/>{said}"]'
            yield "    end"
        yield "  end"


def _arrows(assembly: Assembly) -> Iterator[str]:
    for source, target, label in REACHES:
        for start in (stack for stack in assembly.stacks if source in _parts(stack)):
            ends = [stack for stack in assembly.stacks if target in _parts(stack)]
            for end in ends if source == "Global database" else [start]:
                arrow = f"-->|{label}|" if label else "-->"
                yield f"  {_id(start, source)} {arrow} {_id(end, target)}"


def _parts(stack: Stack) -> dict[str, str]:
    """The drawn parts of `stack`: title and text."""
    resources = list(stack.template["Resources"].values())
    parts = {}
    for type, title, say in DRAWN:
        properties = [each.get("Properties", {}) for each in resources if each["Type"] == type]
        if properties and (said := say(properties)):
            parts[title] = said
    return parts


def _id(stack: Stack, title: str) -> str:
    return "".join(part for part in f"{stack.name}{title}".title() if part.isalnum())


def main(argv: Sequence[str]) -> None:
    """Write the drawing of the assembly in `argv[0]` into the document."""
    before, rest = DOCUMENT.read_text().split(BEGIN)
    after = rest.split(END)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{drawing(read_assembly(Path(argv[0])))}\n{END}{after}")


if __name__ == "__main__":
    main(sys.argv[1:])
