"""Amazon EC2, emulated."""
