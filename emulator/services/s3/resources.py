"""S3 buckets with name and versioning. Policies and public access blocks are left out: no emulator evaluates them."""

from __future__ import annotations

from collections.abc import Mapping

from emulator.core.resource_type import EVERY_PROPERTY, Created, Declared, Properties, ResourceType, Site


def create_bucket(site: Site, resource: Declared) -> Created:
    place, s3 = site.place, site.client("s3")
    name = resource.get("BucketName") or resource.generated_name(63).lower()
    elsewhere = {} if place.region == "us-east-1" else {"LocationConstraint": place.region}
    s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": elsewhere} if elsewhere else {}))
    return update_bucket(site, resource, Created(name, _attributes(site, name)), {})


def update_bucket(site: Site, resource: Declared, made: Created, _before: Properties) -> Created:
    if versioning := resource.get("VersioningConfiguration"):
        site.client("s3").put_bucket_versioning(
            Bucket=made.id, VersioningConfiguration={"Status": versioning["Status"]}
        )
    return made


def _attributes(site: Site, name: str) -> Mapping[str, str]:
    """Attributes from S3 User Guide, "Website endpoints" and "Methods for accessing a general purpose bucket"."""
    place = site.place
    return {
        "Arn": f"arn:{place.partition}:s3:::{name}",
        "DomainName": f"{name}.s3.amazonaws.com",
        "RegionalDomainName": f"{name}.s3.{place.region}.amazonaws.com",
    }


TYPES: Mapping[str, ResourceType] = {"AWS::S3::Bucket": ResourceType(create_bucket, update_bucket, EVERY_PROPERTY)}
"""All are retained when their stack is deleted: the loader never deletes a bucket."""
