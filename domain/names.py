"""Names that the foundation, the pipeline and the optimizer share."""

from __future__ import annotations

GOVERNED_TAG = "tap:governed"


GOVERNED_VALUE = "true"


TENANT_TAG = "TenantId"


PREFIX = "tap-reconcile"  # of the change sets' names, and of their templates' keys


NAMESPACE = "Tap/Tenants"


DECLARATION = "/tap/application/tiers"  # names, by comma


# The resources that the sizing speaks of; its tables it names itself.
FLEET_NAME = "tap-fleet"
CACHE_NAME = "tap-cache"
DATABASE_NAME = "tap-database"
GLOBAL_DATABASE_NAME = "tap-global"
