"""The roles in production, and the jobs that may assume them.

- `tap-analyze` reads: inventory, metrics, and the deployed templates; no item of a table, and no key that
  encrypts one, since the Build of any pushed commit assumes it.
- `tap-act` may do what the actions declare (`optimizer/actions/*.py`), put and delete the one alarm that calls the
  watch early (`optimizer/execute/early_call.py`), nothing else, and nothing on
  resources with the tag TenantId. A condition key cannot match tag keys by prefix, so that Deny is a
  backstop; the inventory is the guard.
- `tap-reconcile` compares code, template and account, asks CloudFormation for the drift it sees before a
  plan begins, and updates the deployed templates to match the account by change sets of its own name, for the
  stacks that an action changes: never for `tap-roles`. It passes no role: CloudFormation acts as the role
  with which the stack was deployed, which has a boundary of its own (docs/adr/0028); and only
  harmless change sets are executed.
- `tap-foresee` is for Build: it compares, and asks CloudFormation what a deployment would change; it executes nothing,
  since Build runs any pushed commit.

A policy on a table could allow access from another account, but the table's key does not: its policy names this
account alone, and no role of the optimizer may change that policy, or create a grant except through an AWS service.
Each trusts only the named jobs of the tooling account, and only with the external id. All are under
the boundary of `pipeline/permission_boundary.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from domain.environment import Environment
from domain.names import PREFIX, RECONCILED_STACKS, TENANT_TAG
from optimizer.action import Permission
from optimizer.actions import registry
from optimizer.execute.early_call import PERMISSIONS as EARLY_CALL
from optimizer.observe.permissions import MONEY, OBSERVE, reading
from optimizer.ports.sessions import SESSION_TAGS
from pipeline.permission_boundary import STAGING, make_boundary
from stages.acknowledged import acknowledge
from stages.regional_stack import RegionalStack

ANALYZE = "tap-analyze"
ACT = "tap-act"
RECONCILE = "tap-reconcile"
FORESEE = "tap-foresee"

JOBS: Mapping[str, tuple[str, ...]] = {
    ANALYZE: ("analyze", "publish", "measure-savings"),
    ACT: ("apply", "accept", "watch", "rollback"),
    RECONCILE: ("accept", "reconcile", "drift-check", "approve"),
    FORESEE: ("build",),
}
"""The jobs that may assume each production role."""

_REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_"
# Reads of tenants' data, in every form: for tap-act alone. Denied, so that no action can grant them by mistake.
ITEMS = (
    "dynamodb:BatchGetItem",
    "dynamodb:GetItem",
    "dynamodb:GetRecords",
    "dynamodb:PartiQLSelect",
    "dynamodb:Query",
    "dynamodb:Scan",
    "elasticache:Connect",
)
_OF_TAP = "arn:{partition}:cloudformation:{region}:{account}:stack/tap-*"


COMPARE: tuple[Permission, ...] = (
    *reading(
        "awscloudformation",
        "cloudformation:DescribeStackResources",
        "cloudformation:DescribeStacks",
        "cloudformation:GetTemplate",
        "cloudformation:ListStackResources",
        resources=(f"{_OF_TAP}/*",),
    ),
    *reading("awscloudformation", "cloudformation:ListExports"),
    *reading("awselasticloadbalancingv2", "elasticloadbalancing:DescribeLoadBalancerAttributes"),
    *reading(
        "amazondynamodb",
        "dynamodb:DescribeContinuousBackups",
        "dynamodb:DescribeTimeToLive",
        resources=("arn:{partition}:dynamodb:{region}:{account}:table/*",),
    ),
    *reading(
        "awssystemsmanager",
        "ssm:GetParameter",
        resources=("arn:{partition}:ssm:{region}:{account}:parameter/tap/*",),
    ),
)

_CHANGED = tuple(
    f"arn:{{partition}}:cloudformation:{{region}}:{{account}}:stack/{name}/*" for name in RECONCILED_STACKS
)
_OWN_CHANGE_SETS = {"StringLike": {"cloudformation:ChangeSetName": f"{PREFIX}-*"}}
_NO_ROLE = {"Null": {"cloudformation:RoleArn": "true"}}


_PAGES = {"cloudformation": "awscloudformation", "s3": "amazons3", "ssm": "awssystemsmanager"}


def _agree(action: str, *resources: str, **more: Any) -> Permission:
    source = f"{_REFERENCE}{_PAGES[action.partition(':')[0]]}.html"
    return Permission(action, resources=resources, source=source, **more)


# CloudFormation reads a template at a URL, and the bootstrap version, with the caller's credentials. The key
# cloudformation:ResourceTypes cannot restrict the change sets: "Only one of the Capabilities and ResourceType
# parameters
# can be specified" (API_CreateChangeSet), and these templates contain roles, which need a capability.
AGREE: tuple[Permission, ...] = (
    _agree("cloudformation:CreateChangeSet", *_CHANGED, writes=True, conditions={**_OWN_CHANGE_SETS, **_NO_ROLE}),
    _agree("cloudformation:DeleteChangeSet", *_CHANGED, writes=True, conditions=_OWN_CHANGE_SETS),
    _agree("cloudformation:ExecuteChangeSet", *_CHANGED, writes=True, conditions=_OWN_CHANGE_SETS),
    _agree("cloudformation:DescribeChangeSet", f"{_OF_TAP}/*"),
    _agree("cloudformation:DescribeStackEvents", f"{_OF_TAP}/*"),
    _agree("s3:PutObject", f"{STAGING}/{PREFIX}/*", writes=True),
    _agree("s3:GetObject", f"{STAGING}/{PREFIX}/*"),
    _agree("ssm:GetParameters", "arn:{partition}:ssm:{region}:{account}:parameter/cdk-bootstrap/*"),
)


class RolesStack(RegionalStack):
    """The optimizer's roles, in the production account. IAM is global: one stack serves all Regions."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment, revision: int, **kwargs: Any) -> None:
        account = environment.accounts.production
        super().__init__(scope, id, account=account, region=environment.primary, revision=revision, **kwargs)
        boundary = make_boundary(self, "Boundary", environment=environment)
        OptimizerRoles(self, "OptimizerRoles", environment=environment)
        iam.PermissionsBoundary.of(self).apply(boundary)


class OptimizerRoles(Construct):
    """`tap-analyze`, `tap-act`, `tap-reconcile` and `tap-foresee`, with what the registry's actions declare."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment) -> None:
        super().__init__(scope, id)
        declared = [*EARLY_CALL, *(permission for action in registry() for permission in action.permissions)]
        reads = [permission for permission in declared if not (permission.writes or permission.items)]
        writes = [permission for permission in declared if permission.writes]

        self.analyze = self._role("Analyze", ANALYZE, environment, [*OBSERVE, *MONEY, *COMPARE, *reads])
        self.act = self._role("Act", ACT, environment, [*OBSERVE, *declared])
        self.reconcile = self._role("Reconcile", RECONCILE, environment, [*OBSERVE, *COMPARE, *AGREE, *reads])
        asking = [each for each in AGREE if each.action != "cloudformation:ExecuteChangeSet"]
        self.foresee = self._role("Foresee", FORESEE, environment, [*COMPARE, *asking])
        for role in (self.analyze, self.reconcile, self.foresee):
            for statement in never_items():
                role.add_to_policy(statement)
        if writes:
            self.act.add_to_policy(never_on_tenants(writes))

    def _role(self, id: str, name: str, environment: Environment, may: Sequence[Permission]) -> iam.Role:
        role = iam.Role(
            self,
            id,
            role_name=name,
            description=f"What the cost optimizer's jobs {', '.join(JOBS[name])} may do here",
            assumed_by=_only_the_jobs(environment, JOBS[name]),
        )
        assert role.assume_role_policy is not None, "a role of our own has one"
        role.assume_role_policy.add_statements(_may_tag(environment, JOBS[name]))
        for statement in statements(may, environment):
            role.add_to_policy(statement)
        _acknowledge_patterns(role, may, environment)
        return role


def statements(permissions: Iterable[Permission], environment: Environment) -> list[iam.PolicyStatement]:
    """The permissions in as few Allow statements as possible: one per set of resources and conditions."""

    def where(permission: Permission) -> tuple[tuple[str, ...], str]:
        return permission.resources, repr(sorted(permission.conditions.items()))

    return [
        iam.PolicyStatement(
            actions=sorted({permission.action for permission in together}),
            resources=sorted({arn for pattern in resources for arn in _arns(pattern, environment)}),
            conditions=dict(together[0].conditions) or None,
        )
        for (resources, _), group in groupby(sorted(permissions, key=where), key=where)
        for together in [list(group)]
    ]


def never_on_tenants(writes: Iterable[Permission]) -> iam.PolicyStatement:
    """A Deny of every declared write on a resource with the tenant's tag."""
    return iam.PolicyStatement(
        sid="NeverOnTenants",
        effect=iam.Effect.DENY,
        actions=sorted({permission.action for permission in writes}),
        resources=["*"],
        conditions={"Null": {f"aws:ResourceTag/{TENANT_TAG}": "false"}},
    )


def never_items() -> list[iam.PolicyStatement]:
    """A Deny of all reads of tenants' data, and of the platform's keys; templates in S3 have another key."""
    deny = iam.Effect.DENY
    ours = {"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/tap/*"}}
    return [
        iam.PolicyStatement(sid="NeverItems", effect=deny, actions=list(ITEMS), resources=["*"]),
        iam.PolicyStatement(sid="NeverOurKeys", effect=deny, actions=["kms:Decrypt"], resources=["*"], conditions=ours),
    ]


def job_role_name(job: str) -> str:
    """The name of a job's own role in the tooling account."""
    return f"tap-job-{job}"


def production_role_arn(environment: Environment, name: str) -> str:
    """The ARN of one of the roles in production."""
    return f"arn:{cdk.Aws.PARTITION}:iam::{environment.accounts.production}:role/{name}"


def external_id(environment: Environment) -> str:
    """The value that a job must present to assume a role: no secret, but other callers do not send it."""
    return f"tap-{environment.accounts.tooling}"


def _only_the_jobs(environment: Environment, jobs: Sequence[str]) -> iam.IPrincipal:
    external = {"StringEquals": {"sts:ExternalId": external_id(environment)}}
    return _jobs(environment, jobs, external)


def _may_tag(environment: Environment, jobs: Sequence[str]) -> iam.PolicyStatement:
    """Lets a job tag its session with its build and commit, for CloudTrail, and with nothing else.

    TagSession has no condition key for the external id, so this is a separate statement.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
    """
    these = {"ForAllValues:StringEquals": {"aws:TagKeys": list(SESSION_TAGS)}}
    return iam.PolicyStatement(actions=["sts:TagSession"], principals=[_jobs(environment, jobs, these)])


def _jobs(environment: Environment, jobs: Sequence[str], conditions: Mapping[str, Any]) -> iam.IPrincipal:
    # The account is the principal and the condition names the roles: a role named as principal must exist
    # before this stack, and a role that is deleted and created again would no longer match.
    tooling = environment.accounts.tooling
    names = [f"arn:{cdk.Aws.PARTITION}:iam::{tooling}:role/{job_role_name(job)}" for job in jobs]
    return iam.PrincipalWithConditions(
        iam.AccountPrincipal(tooling), {**conditions, "ArnEquals": {"aws:PrincipalArn": names}}
    )


def _acknowledge_patterns(role: iam.Role, may: Sequence[Permission], environment: Environment) -> None:
    """Acknowledge declared wildcards: on actions that take no resource, and for names that are made later."""
    for pattern in {pattern for permission in may for pattern in permission.resources if "*" in pattern}:
        asking = ", ".join(sorted({permission.action for permission in may if pattern in permission.resources}))
        reason = f"Names that AWS, a job or the templates' sizing completes, for {asking}"
        if pattern == "*":
            reason = f"Reads that take no resource, and writes held by a condition: {asking}"
        for arn in _arns(pattern, environment, partition="<AWS::Partition>"):
            acknowledge(role, f"IAM5[Resource::{arn}]", reason)


def _arns(pattern: str, environment: Environment, partition: str = cdk.Aws.PARTITION) -> list[str]:
    return [
        pattern.format(partition=partition, account=environment.accounts.production, region=region)
        for region in (environment.primary.name, *(replica.name for replica in environment.replicas))
    ]
