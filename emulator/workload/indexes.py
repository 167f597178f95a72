"""Queries of each index of the platform's tables (docs/access-patterns.md): one set for all scenarios.

Every write of a table also writes its indexes. Requests read some of them: a login finds its tenant by domain and its
user by address, the check for suspended tenants reads by status, lists of administrators read by role, audit pages
show a person or a day. A person reads `by-plan` twice a day: fewer than 50 queries a week. The other five were designed
for features that nobody uses: there is no review of dormant users, invitations carry tenant and user in their link,
and nothing queries the audit log by action or resource, nor the tenants by Region.
"""

from __future__ import annotations

from collections.abc import Mapping

from emulator.workload.spec import IndexJob

# Queries of one request, by table and index.
PER_REQUEST: Mapping[tuple[str, str], float] = {
    ("tenants", "by-domain"): 0.2,
    ("tenants", "by-status"): 0.01,
    ("users", "by-email"): 0.5,
    ("users", "by-role"): 0.05,
    ("audit_logs", "by-actor"): 0.01,
    ("audit_logs", "by-day"): 0.005,
}
# Queries by the calendar, independent of the traffic.
BY_CALENDAR = (IndexJob(table="tenants", index="by-plan", every_days=1, queries=2),)
HOUR = 9  # UTC, at which a job queries
ANCHOR = 20_850  # 2027-02-01 in days since 1970: a day on which every job runs
