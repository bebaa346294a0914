"""What this node makes of everybody's claims: verdicts, guards, disputes, blocking."""
