"""AWS Systems Manager Parameter Store, emulated."""
