"""Evidence, decisions and the plan of one account."""
