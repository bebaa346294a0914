"""Names and the DNS extensions of STIX."""
