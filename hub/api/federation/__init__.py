"""What peers call."""
