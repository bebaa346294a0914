"""``tocsin demo``: three nodes on this machine, real keys, real TAXII, and what came of it."""
