"""AWS Savings Plans, emulated."""
