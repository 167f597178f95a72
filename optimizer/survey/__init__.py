"""A read-only look at any account: inventory, metrics, costs and decisions, with nothing deployed."""
