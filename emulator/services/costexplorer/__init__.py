"""AWS Cost Explorer, emulated."""
