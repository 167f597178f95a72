"""Names that the foundation, the pipeline and the optimizer share."""

from __future__ import annotations

from fnmatch import fnmatchcase

GOVERNED_TAG = "tap:governed"


GOVERNED_VALUE = "true"


TENANT_TAG = "TenantId"


# The stacks whose templates follow the optimizer's changes; only the pipeline deploys the others.
RECONCILED_STACKS = ("tap-primary", "tap-replica-*")
PREFIX = "tap-reconcile"  # of the change sets' names, and of their templates' keys


NAMESPACE = "Tap/Tenants"


DECLARATION = "/tap/application/tiers"  # names, by comma


# The resources that the sizing is about, except tables, which the sizing names itself.
FLEET_NAME = "tap-fleet"
CACHE_NAME = "tap-cache"
DATABASE_NAME = "tap-database"
GLOBAL_DATABASE_NAME = "tap-global"


# The alarm that exists while a phase is under way, in no template (optimizer/execute/early_call.py).
EXPECTED_P99_ALARM = "tap-p99-expected"


def is_reconciled(stack: str) -> bool:
    """Whether reconcile updates this stack's template to match the account; none of its roles may change another's."""
    return any(fnmatchcase(stack, pattern) for pattern in RECONCILED_STACKS)
