"""The Redis replication group."""
