"""Amazon EventBridge, emulated."""
