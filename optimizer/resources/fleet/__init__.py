"""The EC2 Auto Scaling group."""
