"""Resource Groups Tagging API, emulated."""
