"""The checks of `pipeline.preflight`: each function reads one precondition and returns lines of the table."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from domain.sizing import Sizing
from optimizer.actions import registry
from optimizer.observe.rights import for_undo, refused
from stages.aurora import ENGINE, ENGINE_VERSION
from stages.cache import ENGINE_VERSION as REDIS_VERSION
from stages.production import STACKS

BOOTSTRAP_VERSION = 6  # the minimum in the templates' own rule
BUILDS = 3  # a phase's job, the watch, and the rollback
VCPUS = {"m5.4xlarge": 16}
ROLES = ("autoscaling", "elasticloadbalancing", "rds", "elasticache")
PROTECTED = ("tenants", "users", "audit_logs")
BEGUN_WITHIN = 300  # seconds until three builds at once have left the queue


@dataclass(frozen=True)
class Row:
    """One line. `good` is None if it could not be checked, which does not stop the deployment."""

    what: str
    actual: str
    wanted: str
    good: bool | None
    do: str


@dataclass(frozen=True)
class Where:
    """A session of one account, in one Region."""

    session: Any
    region: str

    def client(self, service: str) -> Any:
        """A client of this Region."""
        return self.session.client(service, region_name=self.region)

    def at(self, region: str) -> Where:
        """The same account in another Region."""
        return Where(self.session, region)


def account(where: Where, name: str, wanted: str) -> Row:
    """Whether the credentials belong to the account; the other checks run only then."""
    do = f"name a profile of it: make preflight {name.upper()}_PROFILE=NAME"
    try:
        number = where.client("sts").get_caller_identity()["Account"]
    except (ClientError, BotoCoreError) as error:
        return Row(f"credentials of {name}", type(error).__name__, wanted, None, do)
    return Row(f"credentials of {name}", number, wanted, True if number == wanted else None, do)


def quotas(sizing: Sizing, zones: int = 3) -> Iterator[tuple[str, tuple[str, str], int]]:
    """Name, service and quota code, and the design's maximum need (Service Quotas, the services' pages)."""
    fleet, cache = sizing.fleet, sizing.cache
    yield "vCPU of On-Demand Standard instances", ("ec2", "L-1216C47A"), fleet.maximum * VCPUS[fleet.instance_type]
    yield "Elastic IPs", ("ec2", "L-0263D0A3"), zones  # each has a NAT gateway
    yield "NAT gateways in a zone", ("vpc", "L-FE5A380F"), 1
    yield "DB instances", ("rds", "L-7B6409FD"), len(sizing.aurora.instances)
    yield "cache nodes", ("elasticache", "L-DFE45DF3"), len(cache.shards) * (1 + cache.replicas_per_shard)


def quota(where: Where, what: str, code: tuple[str, str], wanted: int) -> Row:
    """The quota in force: AWS's default if no increase was ever requested."""
    request = {"ServiceCode": code[0], "QuotaCode": code[1]}
    client = where.client("service-quotas")
    try:
        value = client.get_service_quota(**request)["Quota"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchResourceException":
            raise
        value = client.get_aws_default_service_quota(**request)["Quota"]["Value"]
    do = f"aws service-quotas request-service-quota-increase --service-code {code[0]} --quota-code {code[1]} "
    return Row(what, f"{value:g}", f"{wanted} or more", value >= wanted, f"{do}--desired-value {wanted}")


def builds_by_quota(where: Where) -> Row:
    """The two quotas of the jobs' machines. A new account may have a lower limit than its quotas."""
    pages = where.client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="codebuild")
    quotas = {each["QuotaName"]: each["Value"] for page in pages for each in page["Quotas"]}
    values = [value for name, value in quotas.items() if "Linux/Small" in name or "Linux/Medium" in name]
    listed = ", ".join(f"{value:g}" for value in values) or "none told"
    good = None if values and min(values) >= BUILDS else False if values else None
    do = "after the first deployment: make preflight BUILDS=1; a new account may allow 0 or 1 whatever this says"
    return Row("CodeBuild builds at once, by quota", listed, f"{BUILDS} or more", good, do)


def start_builds(where: Where, sleep: Callable[[float], None] = time.sleep) -> Row:
    """Start three builds of tap-watch at once: all must leave the queue. They judge an open window, as usual."""
    client = where.client("codebuild")
    what, do = (
        "CodeBuild builds at once, tried",
        "ask AWS support for more concurrent builds: nobody watches a phase else",
    )
    try:
        ids = [client.start_build(projectName="tap-watch")["build"]["id"] for _ in range(BUILDS)]
    except ClientError as error:
        if error.response["Error"]["Code"] == "AccountLimitExceededException":
            return Row(what, "AccountLimitExceededException", f"{BUILDS} at once", False, do)
        raise
    waiting: list[str] = ids
    for _ in range(BEGUN_WITHIN // 10):
        described = client.batch_get_builds(ids=ids)["builds"]
        waiting = [each["id"] for each in described if each.get("currentPhase") in (None, "SUBMITTED", "QUEUED")]
        if not waiting:
            break
        sleep(10)
    return Row(what, f"{BUILDS - len(waiting)} of {BUILDS} began", f"{BUILDS} at once", not waiting, do)


def certificate(where: Where, arn: str, domain: str) -> Row:
    """The certificate is issued, and covers the platform's name."""
    described = where.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    names = [described["DomainName"], *described.get("SubjectAlternativeNames", [])]
    good = described["Status"] == "ISSUED" and covers(names, domain)
    status = f"{described['Status']} for {', '.join(dict.fromkeys(names))}"
    return Row(
        "certificate", status, f"ISSUED for {domain}", good, "validate it in ACM, or name another certificate_arn"
    )


def covers(names: Sequence[str], domain: str) -> bool:
    """Whether a certificate's names cover `domain`; a wildcard stands for one label."""
    return any(
        name == domain or (name.startswith("*.") and fnmatchcase(domain, name) and domain.count(".") == name.count("."))
        for name in names
    )


def image(where: Where, image_id: str, instance_type: str) -> Row:
    """The image exists, is shared with this account, and fits the instances' processor."""
    images = where.client("ec2").describe_images(ImageIds=[image_id])["Images"]
    kinds = where.client("ec2").describe_instance_types(InstanceTypes=[instance_type])["InstanceTypes"]
    wanted = kinds[0]["ProcessorInfo"]["SupportedArchitectures"] if kinds else []
    status = f"{images[0].get('State')}, {images[0].get('Architecture')}" if images else "not there, or not shared"
    good = bool(images) and images[0].get("State") == "available" and images[0].get("Architecture") in wanted
    do = f"share {image_id} with this account, or name another image_id"
    return Row("image", status, f"available, {' or '.join(wanted)}", good, do)


def service_linked_roles(where: Where) -> Sequence[Row]:
    """The service-linked roles exist: each service makes its own at its first use, which may fail in a new account."""
    pages = where.client("iam").get_paginator("list_roles").paginate(PathPrefix="/aws-service-role/")
    there = {each["Path"] for page in pages for each in page["Roles"]}
    missing = [name for name in ROLES if f"/aws-service-role/{name}.amazonaws.com/" not in there]
    do = "aws iam create-service-linked-role --aws-service-name {}.amazonaws.com"
    if not missing:
        return [Row("service-linked roles", "all there", "all there", True, "")]
    return [Row(f"service-linked role of {name}", "missing", "there", False, do.format(name)) for name in missing]


def aurora(where: Where, sizing: Sizing) -> Sequence[Row]:
    """The engine's version and its largest class are available in this Region."""
    kind = sizing.aurora.instances[0].instance_class
    pages = (
        where.client("rds")
        .get_paginator("describe_orderable_db_instance_options")
        .paginate(Engine=ENGINE, EngineVersion=ENGINE_VERSION, DBInstanceClass=kind)
    )
    there = any(page["OrderableDBInstanceOptions"] for page in pages)
    what, wanted = f"Aurora in {where.region}", f"{ENGINE} {ENGINE_VERSION} on {kind}"
    return [Row(what, wanted if there else "not offered", wanted, there, "another ENGINE_VERSION in stages/aurora.py")]


def redis(where: Where) -> Row:
    """The cache's engine version is available in the primary Region."""
    versions = where.client("elasticache").describe_cache_engine_versions(Engine="redis")["CacheEngineVersions"]
    there = any(f"{each['EngineVersion']}.".startswith(f"{REDIS_VERSION}.") for each in versions)
    listed = ", ".join(each["EngineVersion"] for each in versions) or "none"
    return Row("Redis", listed, REDIS_VERSION, there, "another engine_version in stages/cache.py")


def connection(where: Where, arn: str) -> Row:
    """The connection to the source provider is AVAILABLE: a person completed its handshake."""
    status = where.client("codeconnections").get_connection(ConnectionArn=arn)["Connection"]["ConnectionStatus"]
    return Row("connection", status, "AVAILABLE", status == "AVAILABLE", "finish it in the console: Developer Tools")


def bootstrap(where: Where, trusted: str | None) -> Sequence[Row]:
    """The bootstrap stack's version and, in production, whether it trusts the tooling account."""
    account_id = where.client("sts").get_caller_identity()["Account"]
    what, wanted = f"bootstrap of {account_id} in {where.region}", f"version {BOOTSTRAP_VERSION} or later"
    do = f"cdk bootstrap aws://{account_id}/{where.region} (make deploy prints the whole command)"
    try:
        version = where.client("ssm").get_parameter(Name="/cdk-bootstrap/hnb659fds/version")["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        return [Row(what, "not bootstrapped", wanted, False, do)]
    rows = [Row(what, f"version {version}", wanted, int(version) >= BOOTSTRAP_VERSION, do)]
    if trusted:
        name = f"cdk-hnb659fds-deploy-role-{account_id}-{where.region}"
        document = where.client("iam").get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        good = trusted in json.dumps(document)
        rows.append(Row(f"trust in {where.region}", "there" if good else "missing", f"of {trusted}", good, do))
    return rows


def cost_explorer(where: Where) -> Row:
    """Cost Explorer is enabled and has data: one request, $0.01."""
    today = datetime.now(UTC).date()
    period = {"Start": str(today - timedelta(days=3)), "End": str(today - timedelta(days=2))}
    do = "switch it on in the console, Billing: it takes a day"
    try:
        where.session.client("ce", region_name="us-east-1").get_cost_and_usage(
            TimePeriod=period, Granularity="DAILY", Metrics=["UnblendedCost"]
        )
    except ClientError as error:
        code = error.response["Error"]["Code"]
        return Row("Cost Explorer", code, "an answer", False if code == "DataUnavailableException" else None, do)
    return Row("Cost Explorer", "answers", "an answer", True, do)


def parameter_store(where: Where) -> Row:
    """Instances read their pointers at their start: 40 a second unless higher throughput is on."""
    setting = "/ssm/parameter-store/high-throughput-enabled"
    value = where.client("ssm").get_service_setting(SettingId=setting)["ServiceSetting"]["SettingValue"]
    do = f"if instances are throttled: aws ssm update-service-setting --setting-id {setting} --setting-value true"
    return Row("Parameter Store, higher throughput", value, "true", True if value == "true" else None, do)


def rights_of_undo(where: Where, regions: Sequence[str]) -> Row:
    """Whether IAM lets tap-act undo what its actions do: an organization's policies show here, not in a rollback."""
    what, wanted = "rights of tap-act to undo", "all that the actions declare"
    account = where.client("sts").get_caller_identity()["Account"]
    declared = for_undo(permission for action in registry() for permission in action.permissions)
    try:
        lacking = refused(where.client("iam"), f"arn:aws:iam::{account}:role/tap-act", declared, regions)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise
        return Row(what, "no role tap-act yet", wanted, None, "ask again once tap-roles is deployed")
    do = "let the organization's or the account's policies allow it: a rollback would stop there"
    return Row(what, "; ".join(lacking) or f"{len(declared)} rights", wanted, not lacking, do)


def attribute_based_access() -> Row:
    """No call shows this setting. Without it the act role's Deny on TenantId does not protect tables."""
    do = "console, DynamoDB, Settings: attribute-based access control on; then step 8 of the canary"
    return Row("DynamoDB, access by tags", "no call tells", "on", None, do)


def free_names(where: Where, stack: str) -> Row:
    """Resources of a failed first creation occupy the names that the next one needs."""
    what, do = f"names of {stack}", "docs/runbook.md, The first deployment failed"
    if status := stack_status(where, stack):
        good = status != "ROLLBACK_COMPLETE" and not status.endswith("_FAILED")
        return Row(what, f"the stack is {status}", "no stack, or a complete one", good, do)
    dynamodb = where.client("dynamodb")
    names = {each for page in dynamodb.get_paginator("list_tables").paginate() for each in page["TableNames"]}
    taken = sorted(names & ({"tap-journal"} if stack == "tap-pipeline" else set(PROTECTED)))
    if stack == "tap-primary":
        clusters = where.client("rds").describe_db_clusters()["DBClusters"]
        taken += [each["DBClusterIdentifier"] for each in clusters if each["DBClusterIdentifier"] == "tap-database"]
        balancers = where.client("elbv2").describe_load_balancers()["LoadBalancers"]
        taken += [
            f"load balancer {each['LoadBalancerName']}" for each in balancers if each["LoadBalancerName"] == "tap"
        ]
    return Row(what, ", ".join(taken) or "free", "free", not taken, do)


def termination_protection(where: Where, regions: Sequence[str]) -> Sequence[Row]:
    """CodePipeline's actions do not set it: a person does, once (https://github.com/aws/aws-cdk/issues/17871)."""
    do = "aws cloudformation update-termination-protection --enable-termination-protection --stack-name {} --region {}"
    rows = []
    for region in regions:
        pages = where.at(region).client("cloudformation").get_paginator("describe_stacks").paginate()
        for each in (stack for page in pages for stack in page["Stacks"] if _is_ours(stack["StackName"])):
            on = bool(each.get("EnableTerminationProtection"))
            command = do.format(each["StackName"], region)
            rows.append(Row(f"protection of {each['StackName']}", "on" if on else "off", "on", on or None, command))
    return rows


def _is_ours(stack: str) -> bool:
    return any(fnmatchcase(stack, pattern) for pattern in STACKS)


def table_keys(where: Where, regions: Sequence[str]) -> Sequence[Row]:
    """Tables can only be replicated where their key exists: table_replicas is "keys" for one release, then true."""
    rows = []
    for number, region in enumerate(regions, start=2):
        status = stack_status(where.at(region), f"tap-keys-{number}")
        do = 'release with "table_replicas": "keys" first (docs/adr/0006)'
        rows.append(Row(f"the tables' key in {region}", status or "no stack", "deployed", bool(status), do))
    return rows


def stack_status(where: Where, name: str) -> str | None:
    """The stack's status; None if it does not exist."""
    try:
        stacks = where.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return str(stacks[0]["StackStatus"])
