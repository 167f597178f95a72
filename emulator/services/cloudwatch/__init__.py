"""Amazon CloudWatch, emulated."""
