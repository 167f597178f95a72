"""Service Quotas, emulated."""
