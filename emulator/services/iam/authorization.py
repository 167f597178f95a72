"""Authorization of a role's call: its policies, its boundary, the conditions, and further rights that AWS checks.

Every call of a role's session is checked. The owners of an account's permanent keys are its administrators, and pass.
Roles that do not exist in the account pass as well: tests of one service deploy no roles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.core.resource_tagging import iter_taggable_backends
from moto.dynamodb.models import dynamodb_backends
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends

from emulator.core.errors import AwsError
from emulator.core.policy_evaluation import (
    NO_RESOURCE_POLICY,
    AccessRequest,
    Allowed,
    Decision,
    Denied,
    Statement,
    account_of,
    evaluate,
    role_of,
    statements,
)
from emulator.iam_actions import EVERYTHING, Required, required

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

PARTITION = "aws"
DEPENDENT = "https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-launch-template-permissions.html"
KEY_USE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html"
# Operations on the items of a table, which use its key if that is customer managed.
ITEMS = ("BatchGetItem", "BatchWriteItem", "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan")
MAKING_A_TABLE = (
    "CreateGrant",
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
)
INSIGHTS = ("CreateGrant", "Decrypt", "DescribeKey", "GenerateDataKey")
# Each service's error code for the same refusal (their pages "Common errors").
CODES = {
    "ec2": ("UnauthorizedOperation", 403),
    **dict.fromkeys(
        ("autoscaling", "cloudformation", "cloudwatch", "elasticache", "elbv2", "iam", "rds", "s3", "sts"),
        ("AccessDenied", 403),
    ),
    "sns": ("AuthorizationError", 403),
}


@dataclass(frozen=True)
class Rights:
    """The policies and boundary of one role in the account."""

    arn: str
    policies: tuple[tuple[Statement, ...], ...]
    boundary: tuple[Statement, ...] | None
    _about: dict[tuple[str, str], Rights] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, arn: str) -> Rights | None:
        """The rights of the role with this ARN; None if the account has no such role."""
        backend = iam_backends[account_of(arn)][PARTITION]
        role = next((each for each in backend.roles.values() if each.arn == arn), None)
        if role is None:
            return None
        managed = [_document(each) for each in role.managed_policies.values()]
        boundary = role.permissions_boundary_arn
        return cls(
            arn,
            tuple(statements(text) for text in (*role.policies.values(), *managed)),
            statements(_document(backend.managed_policies[boundary])) if boundary else None,
        )

    def decide(self, right: Required, keys: ConditionKeys, resource_policy: Sequence[Statement] = ()) -> Decision:
        """The decision on this right now."""
        owner = account_of(right.resource) or account_of(self.arn)
        about = self.about(right.action, right.resource)
        return evaluate(
            about.policies,
            about.boundary,
            AccessRequest(self.arn, right.action, right.resource, owner, keys),
            resource_policy,
        )

    def about(self, action: str, resource: str) -> Rights:
        """The statements about this action on this resource, cached: jobs repeat the same calls."""
        found = self._about.get((action, resource))
        if found is None:

            def speaking(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
                return tuple(each for each in statements if each.is_about(action) and each.is_on(resource))

            policies = tuple(speaking(each) for each in self.policies)
            found = Rights(self.arn, policies, None if self.boundary is None else speaking(self.boundary))
            self._about[action, resource] = found
        return found


def _document(policy: Any) -> str:
    """The default version of a managed policy."""
    (version,) = (each for each in policy.versions if each.is_default)
    return str(version.document)


@dataclass(frozen=True)
class ConditionKeys:
    """The condition keys of one request: from its parameters, its caller, and the tags of the resource."""

    own: Mapping[str, Sequence[str]]
    role: str
    region: str
    resource: str

    def __call__(self, name: str) -> Sequence[str] | None:
        if name in self.own:
            return self.own[name]
        if name.startswith("aws:resourcetag/"):
            value = tags_of(self.resource).get(name.partition("/")[2])
            return None if value is None else [value]
        if name == "kms:resourcealiases":
            return _aliases(self.resource)
        everywhere = {
            "aws:principalarn": self.role,
            "aws:principalaccount": account_of(self.role),
            "aws:requestedregion": self.region,
            "aws:securetransport": "true",
        }
        return [everywhere[name]] if name in everywhere else None


class Authorization:
    """The rights of the roles, read once and kept until IAM changes."""

    def __init__(self) -> None:
        self._rights: dict[str, Rights | None] = {}

    def refuse(self, account: Account, call: Call) -> None:
        """Raises AwsError if the calling role has no permission. Drops the cached rights when IAM is changed."""
        if call.service == "iam" and call.mutating:
            self._rights.clear()
        key = account.credentials.find(call.access_key)
        if key is None or key.role_arn is None:
            return
        rights = self.of(key.role_arn)
        if rights is None or (call.service, call.operation) == ("sts", "GetCallerIdentity"):
            return
        for right in (*required(call), *beyond(call)):
            decision = rights.decide(right, ConditionKeys(right.keys, rights.arn, call.region, right.resource))
            # Another account's own policy is evaluated together with its resource.
            if isinstance(decision, Denied) and not decision.reason.startswith(NO_RESOURCE_POLICY):
                raise denied(call, account.caller_arn(call), right, decision)

    def of(self, arn: str) -> Rights | None:
        """The rights of the role; None for a role that the account does not have."""
        if arn not in self._rights:
            self._rights[arn] = Rights.of(arn)
        return self._rights[arn]


def denied(call: Call, caller: str, right: Required, decision: Denied) -> AwsError:
    """The refusal in the words of the called service."""
    code, status = CODES.get(call.service, ("AccessDeniedException", 400))
    told = f"User: {caller} is not authorized to perform: {right.action}"
    where = "" if right.resource == EVERYTHING else f" on resource: {right.resource}"
    return AwsError(code, f"{told}{where} {decision.reason}", status)


EVERY_RIGHT = statements('{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}')


def trusts(role_arn: str, caller: str, action: str, keys: ConditionKeys) -> Decision:
    """Whether a role's trust policy lets this caller assume it; Allowed for an unknown role."""
    backend = iam_backends[account_of(role_arn)][PARTITION]
    role = next((each for each in backend.roles.values() if each.arn == role_arn), None)
    if role is None:
        return Allowed()
    request = AccessRequest(role_of(caller), action, role_arn, "", keys)  # decides in one account as well
    return evaluate((EVERY_RIGHT,), None, request, statements(role.assume_role_policy_document))


def may(
    account: Account,
    role_arn: str,
    right: Required,
    region: str,
    resource_policy: Sequence[Statement] = (),
) -> bool:
    """Whether a role that makes no recorded calls has a right; True for one that the account does not have."""
    rights = account.part(Authorization).of(role_arn)
    if rights is None:
        return True
    keys = ConditionKeys(right.keys, role_arn, region, right.resource)
    return isinstance(rights.decide(right, keys, resource_policy), Allowed)


def tags_of(arn: str) -> dict[str, str]:
    """The tags of a resource in the account, by key in lower case: condition keys are case-insensitive."""
    service, region, account, name = arn.split(":", 5)[2:] if arn.count(":") >= 5 else ("", "", "", "")
    if service == "dynamodb":
        table = dynamodb_backends[account][region].tables.get(name.removeprefix("table/").partition("/")[0])
        return {each["Key"].lower(): each["Value"] for each in table.tags} if table is not None else {}
    if service == "ec2" and account:
        tags = ec2_backends[account][region].tags.get(name.rpartition("/")[2], {})
        return {key.lower(): value for key, value in tags.items()}
    if service == "autoscaling":
        return _tags_of_group(account, region, name.rpartition("/")[2])
    for backend in iter_taggable_backends(account, region) if region and account else ():
        for each in backend.iter_tagged_resources():
            if each.arn == arn:
                return {key.lower(): value for key, value in each.tags.items()}
    return {}


def beyond(call: Call) -> Iterator[Required]:
    """Rights that AWS checks without another call: roles that are passed, keys, launches of a refresh."""
    asked, place = call.parameters, f"{call.region}:{call.account}"
    match call.service, call.operation:
        case "sts", "AssumeRole" if asked.get("Tags"):
            yield Required("sts:TagSession", asked["RoleArn"])
        case "dynamodb", operation if operation in (*ITEMS, "TransactWriteItems", "TransactGetItems"):
            for key in _keys_of_tables(call):
                yield _by("dynamodb", call, "Decrypt", key)
        case "dynamodb", "CreateTable":
            if key := asked.get("SSESpecification", {}).get("KMSMasterKeyId"):
                for action in MAKING_A_TABLE:
                    yield _by("dynamodb", call, action, key)
            if asked.get("Tags"):
                yield Required("dynamodb:TagResource", f"arn:aws:dynamodb:{place}:table/{asked['TableName']}")
        case "rds", "CreateDBInstance":
            yield from _new_instance(call)
        case "rds", "CreateDBClusterSnapshot" if asked.get("Tags"):
            name = asked["DBClusterSnapshotIdentifier"]
            yield Required("rds:AddTagsToResource", f"arn:aws:rds:{place}:cluster-snapshot:{name}")
        case "rds", "DeleteDBCluster" if asked.get("FinalDBSnapshotIdentifier"):
            for kind, name in (
                ("cluster", asked["DBClusterIdentifier"]),
                ("cluster-snapshot", asked["FinalDBSnapshotIdentifier"]),
            ):
                yield Required("rds:CreateDBClusterSnapshot", f"arn:aws:rds:{place}:{kind}:{name}")
        case "autoscaling", "StartInstanceRefresh":
            template = asked.get("DesiredConfiguration", {}).get("LaunchTemplate")
            if template:
                yield from _launches(call, template)


def _new_instance(call: Call) -> Iterator[Required]:
    asked = call.parameters
    if asked.get("Tags"):
        name = asked["DBInstanceIdentifier"]
        yield Required("rds:AddTagsToResource", f"arn:aws:rds:{call.region}:{call.account}:db:{name}")
    if role := asked.get("MonitoringRoleArn"):
        yield Required("iam:PassRole", role, {"iam:passedtoservice": ["monitoring.rds.amazonaws.com"]})
    if key := asked.get("PerformanceInsightsKMSKeyId"):
        for action in INSIGHTS:
            yield _by("rds", call, action, key)


def _launches(call: Call, template: Mapping[str, Any]) -> Iterator[Required]:
    """The rights to launch from a template, which a refresh to it needs: tags and the instance role included."""
    from emulator.services.autoscaling.groups import find_group, resolve_template

    ec2 = find_group(call).ec2_backend
    found = resolve_template(find_group(call), dict(template))
    place = f"{call.region}:{call.account}"
    arn = f"arn:aws:ec2:{place}:launch-template/{found['LaunchTemplateId']}"
    data = ec2.launch_templates[found["LaunchTemplateId"]].get_version(found["Version"]).data
    keys = {"ec2:launchtemplate": [arn], "ec2:islaunchtemplateresource": ["true"]}
    groups = data.get("SecurityGroupIds", ())
    for resource in (
        arn,
        f"arn:aws:ec2:{call.region}::image/{data['ImageId']}",
        *(f"arn:aws:ec2:{place}:{kind}/new" for kind in ("instance", "volume")),
        *(f"arn:aws:ec2:{place}:security-group/{each}" for each in groups),
    ):
        yield Required("ec2:RunInstances", resource, keys)
    subnets = (find_group(call).vpc_zone_identifier or "").split(",")
    for resource in ("network-interface/new", *(f"subnet/{each}" for each in subnets if each)):
        # These belong to the group, not to the template.
        own = {**keys, "ec2:islaunchtemplateresource": ["false"]}
        yield Required("ec2:RunInstances", f"arn:aws:ec2:{place}:{resource}", own)
    if data.get("TagSpecifications"):
        keys = {"ec2:createaction": ["RunInstances"]}
        yield Required("ec2:CreateTags", f"arn:aws:ec2:{place}:instance/new", keys)
    if profile := data.get("IamInstanceProfile", {}).get("Arn"):
        for role in iam_backends[call.account][PARTITION].get_instance_profile(profile.rpartition("/")[2]).roles:
            yield Required("iam:PassRole", role.arn, {"iam:passedtoservice": ["ec2.amazonaws.com"]})


def _keys_of_tables(call: Call) -> Iterator[str]:
    """The customer managed keys of the call's tables."""
    tables = dynamodb_backends[call.account][call.region].tables
    names = {right.resource.partition(":table/")[2].partition("/")[0] for right in required(call)}
    for name in sorted(names & tables.keys()):
        if key := (tables[name].sse_specification or {}).get("KMSMasterKeyId"):
            yield key


def _by(service: str, call: Call, action: str, key: str) -> Required:
    """The right to a key that a service uses on the caller's behalf."""
    arn = key if key.startswith("arn:") else f"arn:aws:kms:{call.region}:{call.account}:key/{key}"
    own = {"kms:viaservice": [f"{service}.{call.region}.amazonaws.com"], "kms:grantisforawsresource": ["true"]}
    return Required(f"kms:{action}", arn, own)


def _aliases(arn: str) -> list[str]:
    """The aliases of a key: policies name it by alias, since its ARN contains an id."""
    _, _, _, region, account, name = arn.split(":", 5)
    key = kms_backends[account][region].keys.get(name.removeprefix("key/"))
    return sorted(key.aliases) if key is not None else []


def _tags_of_group(account: str, region: str, name: str) -> dict[str, str]:
    from moto.autoscaling.models import autoscaling_backends

    group = autoscaling_backends[account][region].autoscaling_groups.get(name)
    return {each["Key"].lower(): each["Value"] for each in group.tags} if group is not None else {}
