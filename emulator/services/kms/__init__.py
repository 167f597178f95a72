"""AWS KMS, emulated."""
