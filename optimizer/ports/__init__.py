"""The way to AWS: typed clients, sessions and settings."""
