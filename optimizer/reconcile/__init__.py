"""Code, template and account brought to agreement, and compared."""
