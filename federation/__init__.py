"""Rules: what nodes may do to each other. Imports ``schemas`` only; reads no clock, does no I/O."""
