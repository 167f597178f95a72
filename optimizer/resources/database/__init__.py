"""The Aurora global database."""
