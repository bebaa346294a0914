"""What is claimed of delegations, what was answered to it, and where registrations cluster."""
