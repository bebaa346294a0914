"""TAXII 2.1 for token holders."""
