"""Entries, chains, heads."""
