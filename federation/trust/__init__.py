"""Trust presets and what they fill in."""
