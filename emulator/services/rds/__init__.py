"""Amazon RDS and Aurora, emulated."""
