"""Topics, log groups, alarms and the parameters that the application follows."""

from __future__ import annotations

from collections.abc import Mapping

from emulator.core.resource_type import EVERY_PROPERTY, Created, Declared, Properties, ResourceType, Site, request


def create_topic(site: Site, resource: Declared) -> Created:
    name = resource.get("TopicName") or resource.generated_name(256)
    arn = site.client("sns").create_topic(Name=name, Tags=resource.tag_list)["TopicArn"]
    return Created(arn, {"TopicArn": arn, "TopicName": name})


def delete_topic(site: Site, arn: str) -> None:
    site.client("sns").delete_topic(TopicArn=arn)


def create_log_group(site: Site, resource: Declared) -> Created:
    logs = site.client("logs")
    name = resource.get("LogGroupName") or resource.generated_name(512)
    logs.create_log_group(logGroupName=name, tags=resource.tags)
    if days := resource.get("RetentionInDays"):
        logs.put_retention_policy(logGroupName=name, retentionInDays=int(days))
    place = site.place
    return Created(name, {"Arn": f"arn:{place.partition}:logs:{place.region}:{place.account}:log-group:{name}:*"})


def put_alarm(site: Site, resource: Declared) -> Created:
    cloudwatch = site.client("cloudwatch")
    name = resource.get("AlarmName") or resource.generated_name(255)
    properties = resource.without("Tags", "AlarmName")
    cloudwatch.put_metric_alarm(
        **request(cloudwatch, "PutMetricAlarm", properties, AlarmName=name, Tags=resource.tag_list)
    )
    place = site.place
    return Created(name, {"Arn": f"arn:{place.partition}:cloudwatch:{place.region}:{place.account}:alarm:{name}"})


def update_alarm(site: Site, resource: Declared, _made: Created, _before: Properties) -> Created:
    return put_alarm(site, resource)


def delete_alarm(site: Site, name: str) -> None:
    site.client("cloudwatch").delete_alarms(AlarmNames=[name])


def put_parameter(site: Site, resource: Declared) -> Created:
    name = resource.get("Name") or resource.generated_name(1011)
    site.client("ssm").put_parameter(Name=name, Type=resource["Type"], Value=resource["Value"], Overwrite=True)
    return Created(name, {"Type": resource["Type"], "Value": resource["Value"]})


def delete_parameter(site: Site, name: str) -> None:
    site.client("ssm").delete_parameter(Name=name)


def update_parameter(site: Site, resource: Declared, _made: Created, _before: Properties) -> Created:
    return put_parameter(site, resource)


TYPES: Mapping[str, ResourceType] = {
    "AWS::SNS::Topic": ResourceType(create_topic, delete=delete_topic),
    "AWS::Logs::LogGroup": ResourceType(create_log_group),
    "AWS::CloudWatch::Alarm": ResourceType(put_alarm, update_alarm, EVERY_PROPERTY, delete_alarm),
    "AWS::SSM::Parameter": ResourceType(put_parameter, update_parameter, EVERY_PROPERTY, delete_parameter),
}
