"""Elastic Load Balancing, emulated."""
