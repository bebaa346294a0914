"""When to try again, and what first."""
