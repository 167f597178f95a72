"""What every emulated service rests on: calls, clock, faults, credentials, and the seam to moto."""
