"""Amazon S3, emulated."""
