"""Keys, signed envelopes, signed requests."""
