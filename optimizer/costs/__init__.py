"""What the account costs: list prices, Cost Explorer, commitments, savings."""
