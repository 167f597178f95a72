"""The load balancer, its target groups, listeners and rules."""

from __future__ import annotations

from collections.abc import Mapping

from moto.acm.models import CertBundle, acm_backends

from emulator.core.resource_type import Created, Declared, ResourceType, Site, request


def create_balancer(site: Site, resource: Declared) -> Created:
    elbv2 = site.client("elbv2")
    parameters = request(elbv2, "CreateLoadBalancer", resource.without("Tags"), Tags=resource.tag_list)
    parameters.setdefault("Name", resource.generated_name(32))
    shown = elbv2.create_load_balancer(**parameters)["LoadBalancers"][0]
    arn = shown["LoadBalancerArn"]
    if attributes := resource.get("LoadBalancerAttributes"):
        elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=_strings(attributes))
    return Created(
        arn,
        {
            "LoadBalancerArn": arn,
            "LoadBalancerFullName": arn.split("loadbalancer/", 1)[1],
            "LoadBalancerName": shown["LoadBalancerName"],
            "DNSName": shown["DNSName"],
            "CanonicalHostedZoneID": shown.get("CanonicalHostedZoneId", "Z35SXDOTRQ7X7K"),
            "SecurityGroups": shown.get("SecurityGroups", []),
        },
    )


def create_target_group(site: Site, resource: Declared) -> Created:
    elbv2 = site.client("elbv2")
    parameters = request(elbv2, "CreateTargetGroup", resource.without("Tags", "Targets"), Tags=resource.tag_list)
    parameters.setdefault("Name", resource.generated_name(32))
    shown = elbv2.create_target_group(**parameters)["TargetGroups"][0]
    arn = shown["TargetGroupArn"]
    if attributes := resource.get("TargetGroupAttributes"):
        elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=_strings(attributes))
    return Created(
        arn,
        {
            "TargetGroupArn": arn,
            "TargetGroupFullName": arn.rsplit(":", 1)[1],
            "TargetGroupName": shown["TargetGroupName"],
            "LoadBalancerArns": shown.get("LoadBalancerArns", []),
        },
    )


def create_listener(site: Site, resource: Declared) -> Created:
    elbv2 = site.client("elbv2")
    parameters = request(elbv2, "CreateListener", resource.without("Tags"), Tags=resource.tag_list)
    for certificate in parameters.get("Certificates", []):
        _hold_certificate(certificate["CertificateArn"])
    arn = elbv2.create_listener(**parameters)["Listeners"][0]["ListenerArn"]
    return Created(arn, {"ListenerArn": arn})


def _hold_certificate(arn: str) -> None:
    """Store the environment's certificate, which exists before the first deployment.

    Neither ACM nor moto lets a caller choose the ARN of an imported certificate, so it is written into moto's backend.
    """
    _, _, _, region, account, _ = arn.split(":", 5)
    held = acm_backends[account][region]._certificates  # noqa: SLF001 -- see above
    if arn not in held:
        certificate = CertBundle.generate_cert("tap.example", account_id=account, region=region)
        certificate.arn = arn
        held[arn] = certificate


def create_rule(site: Site, resource: Declared) -> Created:
    elbv2 = site.client("elbv2")
    parameters = request(elbv2, "CreateRule", resource.without("Tags"), Tags=resource.tag_list)
    arn = elbv2.create_rule(**parameters)["Rules"][0]["RuleArn"]
    return Created(arn, {"RuleArn": arn})


def _strings(attributes: list[dict[str, object]]) -> list[dict[str, str]]:
    return [{"Key": str(each["Key"]), "Value": _text(each["Value"])} for each in attributes]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


TYPES: Mapping[str, ResourceType] = {
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ResourceType(create_balancer),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ResourceType(create_target_group),
    "AWS::ElasticLoadBalancingV2::Listener": ResourceType(create_listener),
    "AWS::ElasticLoadBalancingV2::ListenerRule": ResourceType(create_rule),
}
