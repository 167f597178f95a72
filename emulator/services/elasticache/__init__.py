"""Amazon ElastiCache, emulated."""
