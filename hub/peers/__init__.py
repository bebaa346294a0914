"""Relations with other nodes: pairing, trust, pulling, waking, keys."""
