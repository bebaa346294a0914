"""STIX 2.1 objects: what is valid, what a pattern observes."""
