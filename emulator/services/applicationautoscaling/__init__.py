"""Application Auto Scaling, emulated."""
