"""AWS IAM, emulated."""
