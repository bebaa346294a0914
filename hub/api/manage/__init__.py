"""The management API: what an admin token may do from elsewhere."""
