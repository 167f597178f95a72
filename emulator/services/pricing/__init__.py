"""AWS Price List, emulated."""
