"""AWS STS, emulated."""
