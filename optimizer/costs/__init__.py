"""Cost of the account: list prices, Cost Explorer, commitments, savings."""
