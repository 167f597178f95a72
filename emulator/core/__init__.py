"""The base of every emulated service: calls, clock, faults, credentials, and the hooks into moto."""
